drop table lots_documents;
drop table lots;
