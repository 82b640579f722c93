drop table depots_du_jour;
