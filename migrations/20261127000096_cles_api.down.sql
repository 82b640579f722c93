drop table cles_api;
