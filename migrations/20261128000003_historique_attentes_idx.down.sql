drop index historique_en_attente_idx;
