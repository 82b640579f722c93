-- How much each user has uploaded on the last day that they uploaded anything (UPLOAD_QUOTA_MB). One row a user: there is
-- nothing to purge.
create table depots_du_jour (
    user_id bigint primary key references users (id) on delete cascade,
    jour date not null, -- of the clock in Morocco
    octets bigint not null check (octets >= 0)
) with (fillfactor = 50);
