drop table liens_compte;
