-- Hashes with other parameters than ours cost another time: each sign-in asks which ones there are, to take as long for all.
-- A good sign-in makes such a hash anew, so that this index is empty before long.
create index users_autre_hachage_idx on users (id) where password_hash not like '$argon2id$v=19$m=19456,t=2,p=1$%';
