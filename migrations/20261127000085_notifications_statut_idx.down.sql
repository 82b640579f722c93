drop index notifications_statut_idx;
