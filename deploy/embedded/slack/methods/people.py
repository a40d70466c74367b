"""Who the app is and who the members are: ``auth.*``, ``users.*`` and ``dnd.*``."""

from deploy.embedded.slack.calls import Args, Context, Method, Refused
from deploy.embedded.slack.seed import Person
from deploy.embedded.slack.wire import Json

SNOOZE_SECONDS = 3600


def auth_test(ctx: Context, _args: Args) -> Json:
    """``auth.test``."""
    seed = ctx.state.seed
    return {
        "url": f"{ctx.url}/",
        "team": seed.team_name,
        "user": seed.app.bot_name,
        "team_id": seed.team_id,
        "user_id": seed.app.bot_user_id,
        "bot_id": seed.app.bot_id,
        "app_id": seed.app.app_id,
        "is_enterprise_install": False,
    }


def described(ctx: Context, person: Person) -> Json:
    """Return a member as ``users.info`` shows one."""
    return {
        "id": person.id,
        "team_id": ctx.state.seed.team_id,
        "name": person.name,
        "deleted": person.deleted,
        "real_name": person.real_name,
        "tz": person.tz,
        "locale": person.locale,
        "is_bot": False,
        "is_email_confirmed": bool(person.email),
        "profile": {
            "real_name": person.real_name,
            "display_name": person.name,
            "email": person.email,
            "team": ctx.state.seed.team_id,
        },
    }


def info(ctx: Context, args: Args) -> Json:
    """``users.info``; the locale only with ``include_locale``, as Slack has it."""
    person = ctx.state.rows.people.get(args.need("user"))
    if person is None:
        raise Refused("user_not_found")
    user = described(ctx, person)
    if not args.flag("include_locale"):
        user.pop("locale")
    return {"user": user}


def lookup_by_email(ctx: Context, args: Args) -> Json:
    """``users.lookupByEmail``: members who left are not found."""
    email = args.need("email").lower()
    for person in ctx.state.rows.people.values():
        if person.email.lower() == email and not person.deleted:
            return {"user": described(ctx, person)}
    raise Refused("users_not_found")


def listed(ctx: Context, _args: Args) -> Json:
    """``users.list``."""
    people = [described(ctx, person) for person in ctx.state.rows.people.values()]
    return {"members": people, "response_metadata": {"next_cursor": ""}}


def dnd_info(ctx: Context, args: Args) -> Json:
    """``dnd.info``: whether a member is not to be disturbed now."""
    person = ctx.state.rows.people.get(args.text("user"))
    if person is None:
        raise Refused("user_not_found")
    now = int(ctx.state.clock().timestamp())
    answer: Json = {
        "dnd_enabled": person.snoozed,
        "next_dnd_start_ts": now if person.snoozed else 1,
        "next_dnd_end_ts": now + SNOOZE_SECONDS if person.snoozed else 1,
        "snooze_enabled": person.snoozed,
    }
    if person.snoozed:
        answer |= {"snooze_endtime": now + SNOOZE_SECONDS, "snooze_remaining": SNOOZE_SECONDS}
    return answer


METHODS: dict[str, Method] = {
    "auth.test": auth_test,
    "users.info": info,
    "users.list": listed,
    "users.lookupByEmail": lookup_by_email,
    "dnd.info": dnd_info,
}
