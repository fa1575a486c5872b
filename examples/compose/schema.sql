create table public.orders (
  id bigint generated always as identity primary key,
  status text not null default 'new',
  total numeric(10, 2) not null
);
insert into public.orders (total) select 50 * i from generate_series(1, 10) i;
