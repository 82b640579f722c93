drop index users_autre_hachage_idx;
