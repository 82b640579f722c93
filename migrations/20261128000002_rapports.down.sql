drop table rapports_liens;
drop table rapports;
