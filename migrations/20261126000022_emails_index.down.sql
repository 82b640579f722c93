drop index envois_statut_idx;
