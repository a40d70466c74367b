"""The views and the queries that the guard of direct SQL must let pass."""

from typing import Final

VIEWS: Final = {
    "sites": frozenset(
        {"site_ref", "name", "town", "country", "postal_code", "language", "segment", "headcount"}
    ),
    "contacts": frozenset(
        {"contact_ref", "site_ref", "first_name", "last_name", "job_title", "email", "language"}
    ),
    "deals": frozenset(
        {
            "deal_ref",
            "site_ref",
            "contact_ref",
            "market",
            "status",
            "expected_signature",
            "revenue_minor",
            "margin_minor",
            "comment",
        }
    ),
}

ACCEPTED: Final = (
    "select site_ref from sites",
    "SELECT * FROM directory.sites AS s WHERE s.Town = 'Lyon';",
    "((select site_ref from sites))",
    "select all site_ref from sites -- with a remark",
    "select count(*), count(distinct town), min(name), max(name), round(avg(headcount)) from sites",
    (
        "select stddev(headcount), variance(headcount), bool_or(headcount > 1), bool_and(true)"
        " from sites"
    ),
    (
        "select s.site_ref, count(d.deal_ref) filter (where d.status = 'won') as won from sites s"
        " left join deals d using (site_ref) group by s.site_ref having sum(d.revenue_minor) > 1e6"
        " order by won desc nulls last limit 10 offset 5"
    ),
    (
        "with big as (select site_ref from deals where revenue_minor > 100000),"
        " s as materialized (select * from sites) select s.* from s join big"
        " on big.site_ref = s.site_ref"
    ),
    "with sites as (select site_ref from sites where town = 'Lyon') select site_ref from sites",
    (
        "select site_ref from sites union all select site_ref from contacts"
        " except (select site_ref from deals) order by site_ref"
    ),
    "select site_ref from sites intersect select site_ref from deals",
    (
        "select contact_ref from contacts where email ilike '%@%.example' and lower(last_name) ~"
        " '^d'"
        " and language in ('fr', 'en') and not exists"
        " (select 1 from deals d where d.contact_ref = contacts.contact_ref)"
    ),
    (
        "select deal_ref, comment from deals where expected_signature between current_date"
        " and current_date + interval '3 months'"
    ),
    "select x.total from (select sum(revenue_minor) as total from deals) x",
    (
        "select site_ref, row_number() over (partition by town order by headcount desc"
        " rows between unbounded preceding and current row) as rn from sites"
    ),
    "select sum(headcount) over w as t from sites window w as (partition by town order by name)",
    (
        "select rank() over (order by name), lag(name) over (order by name), ntile(4) over"
        " (order by name), first_value(name) over (order by name) from sites"
    ),
    (
        "select date_trunc('month', expected_signature::timestamp) as m,"
        " extract(year from expected_signature) as y, date_part('dow', expected_signature) as w,"
        " to_char(expected_signature, 'DD/MM/YYYY \"à\" HH24:MI FMDay TMMonth IW') as c from deals"
    ),
    (
        "select now() at time zone 'Europe/Paris' as t, interval '1 year 2 months', interval '1'"
        " day,"
        " expected_signature - interval '2 weeks' as w from deals"
    ),
    (
        "select to_date('22/11/2026', 'DD/MM/YYYY'), date '2026-11-22', timestamp '2026-11-22"
        " 10:00'"
        " from deals"
    ),
    (
        "select case when headcount > 10 then 'big' else 'small' end as size,"
        " coalesce(nullif(name, ''), '?') || ' ' || town as label, round(headcount / 3.0, 2) as r"
        " from sites"
    ),
    (
        "select percentile_cont(0.5) within group (order by revenue_minor) as med,"
        " mode() within group (order by status) as m from deals"
    ),
    "select distinct on (town) town, site_ref from sites order by town, headcount desc",
    (
        "select site_ref from sites where town = any(array['Lyon', 'Paris'])"
        " and headcount::text like '1%' escape '!'"
    ),
    "select town, country, count(*) from sites group by grouping sets ((town), (country))",
    "select town, count(*) from sites group by rollup (town)",
    (
        "select name as \"Société\" from sites where postal_code similar to '69%'"
        " or town is distinct from 'Lyon' or segment is not distinct from null"
    ),
    (
        "select trim(both ' ' from name) a, substring(name from 1 for 3) b, position('a' in name)"
        " c,"
        " overlay(name placing 'x' from 1) d, regexp_replace(name, '\\s+', ' ', 'g') f,"
        " concat_ws(', ', name, town) g, split_part(name, ' ', 1) h, initcap(town) i from sites"
    ),
    (
        "select left(name, 2), right(name, 2), replace(name, 'a', 'b'), translate(name, 'é', 'e'),"
        " reverse(name), md5(name), length(name), starts_with(name, 'A'), upper(town) from sites"
    ),
    (
        "select abs(headcount), ceil(1.5), floor(1.5), trunc(1.55, 1), sign(-2), sqrt(4), mod(5,"
        " 2),"
        " greatest(1, 2), least(1, 2), headcount % 2, -headcount from sites"
    ),
    (
        "select string_agg(name, ', ' order by name), array_agg(distinct town order by town),"
        " array_to_string(array_agg(name), ','), string_to_array('a,b', ',') from sites"
    ),
    (
        "select site_ref from sites s where (town, country) in"
        " (select town, country from sites where headcount > 3) fetch first 3 rows only"
    ),
    (
        "select s.name from sites s natural join deals d left join contacts c using (contact_ref)"
        " cross join contacts x"
    ),
    (
        "select a.site_ref from sites a full outer join contacts b on a.site_ref = b.site_ref"
        " right join deals d on d.site_ref = a.site_ref"
    ),
    (
        "select site_ref from sites where headcount >"
        " (select avg(headcount) from sites x where x.town = sites.town)"
    ),
    "select site_ref from sites where headcount <= all (select headcount from sites)",
    (
        "select cast(headcount as numeric(10, 2)) as n, cast(name as varchar(20)), '{a,b}'::text[],"
        " true and not false, null is null, headcount is not null from sites"
    ),
    (
        "select site_ref from sites where town not in ('a') and headcount not between 1 and 2"
        " and name not like 'x' and name !~* 'y' and name <> 'z'"
    ),
    "select 'it''s; -- not /* a comment */ \\ ' as x from sites",
    "select 'drop table sites; select pg_sleep(10)' as harmless from sites",
)
