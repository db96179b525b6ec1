-- Code since schema 9.
--
-- When a plan was last booked by hand: an event of a billing service that occurred before must not undo the booking. Code
-- of schema 9 writes none. Bookings from before this migration are not known here.

create table subscription_bookings (
  user_id uuid primary key references user_accounts on delete cascade,
  booked_at timestamptz not null
);
