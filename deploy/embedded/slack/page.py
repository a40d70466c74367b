"""The stub's own page: channels, messages with their versions, modals, Home tabs and files."""

import html
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote

from deploy.embedded.slack.page_blocks import blocks_html, marked
from deploy.embedded.slack.seed import Channel
from deploy.embedded.slack.state import State
from deploy.embedded.slack.wire import Content, Ephemeral, Message, View

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:0;color:#1d1c1d;background:#f8f8f8}
header{background:#3f0e40;color:#fff;padding:.8rem 1.5rem}header h1{font-size:1.2rem;margin:0}
nav a{color:#e8d5e9;margin-right:1rem}main{max-width:54rem;margin:0 auto;padding:1rem}
section{background:#fff;border:1px solid #ddd;border-radius:6px;margin:1rem 0;padding:.2rem 1rem}
article{border-top:1px solid #eee;padding:.6rem 0}article:target{background:#fffbe6}
article:first-of-type{border-top:0}.who{font-weight:700}.when,.context{color:#616061;font-size:.85em}
.fields{display:grid;grid-template-columns:1fr 1fr;gap:.4rem 1rem;margin:.4rem 0}
.element{display:inline-block;border:1px solid #bbb;border-radius:4px;padding:.15rem .7rem;
margin:.15rem .2rem .15rem 0;background:#fff}.primary{background:#007a5a;color:#fff}
.danger{background:#e01e5a;color:#fff}.private{border-left:3px solid #bbb;padding-left:.7rem}
h4{margin:.4rem 0}p{margin:.3rem 0}pre{background:#f4f4f4;padding:.4rem;overflow:auto}
label{font-weight:600}details{color:#616061;font-size:.9em}
"""


class Page:
    """Draws the workspace as it is now."""

    def __init__(self, state: State) -> None:
        self._state = state

    def names(self, key: str) -> str:
        """Return the name behind a user or channel id, or the id itself."""
        app = self._state.seed.app
        if key in (app.bot_user_id, app.bot_id):
            return app.bot_name
        person = self._state.rows.people.get(key)
        if person is not None:
            return person.real_name
        channel = self._state.rows.channels.get(key)
        return channel.name if channel is not None else key

    def html(self) -> str:
        """Return the whole page."""
        seen = [c for c in self._state.rows.channels.values() if self._has_content(c)]
        links = "".join(f'<a href="#{c.id}">{html.escape(self._channel_name(c))}</a>' for c in seen)
        body = "".join(self._channel(c) for c in seen) + self._homes() + self._views()
        title = html.escape(self._state.seed.team_name)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{_STYLE}</style></head><body><header><h1>{title}</h1><nav>{links}</nav>"
            f"</header><main>{body}{self._files()}</main></body></html>"
        )

    def _has_content(self, channel: Channel) -> bool:
        told = any(e.channel == channel.id for e in self._state.rows.ephemerals)
        return not channel.direct or told or bool(self._state.messages(channel.id))

    def _channel_name(self, channel: Channel) -> str:
        if channel.direct:
            return "with " + ", ".join(self.names(member) for member in channel.members)
        return f"#{channel.name}"

    def _channel(self, channel: Channel) -> str:
        told = [e for e in self._state.rows.ephemerals if e.channel == channel.id]
        rows: list[Message | Ephemeral] = [*self._state.messages(channel.id), *told]
        drawn = "".join(self._row(row) for row in sorted(rows, key=lambda row: row.ts))
        name = html.escape(self._channel_name(channel))
        empty = '<p class="context">No messages yet.</p>'
        return f'<section id="{channel.id}"><h2>{name}</h2>{drawn or empty}</section>'

    def _row(self, row: Message | Ephemeral) -> str:
        if isinstance(row, Ephemeral):
            who, note = self.names(self._state.seed.app.bot_user_id), ""
            only = f'<span class="when">only {html.escape(self.names(row.user))} sees this</span>'
            return self._article(row.ts, who, only, self._content(row.content), "private") + note
        files = "".join(self._file(file_id) for file_id in row.file_ids)
        body = self._content(row.content) + files + self._history(row)
        edited = '<span class="when">(edited)</span>' if len(row.versions) > 1 else ""
        return self._article(row.ts, self.names(row.user), edited, body, "")

    def _article(self, ts: str, who: str, note: str, body: str, kind: str) -> str:
        at = datetime.fromtimestamp(float(ts), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return (
            f'<article id="p{ts.replace(".", "")}" class="{kind}"><span class="who">'
            f'{html.escape(who)}</span> <span class="when">{at}</span> {note}{body}</article>'
        )

    def _content(self, content: Content) -> str:
        if content.blocks:
            return blocks_html(content.blocks, self.names)
        return f"<p>{marked(content.text, self.names)}</p>"

    def _history(self, message: Message) -> str:
        older = message.versions[:-1]
        if not older:
            return ""
        drawn = "<hr>".join(self._content(version.content) for version in older)
        return f"<details><summary>{len(older)} earlier version(s)</summary>{drawn}</details>"

    def _file(self, file_id: str) -> str:
        file = self._state.rows.files[file_id]
        href = f"/files/{file.id}/{quote(file.name)}"
        return f'<p><a href="{href}">{html.escape(file.name)}</a> ({file.length} bytes)</p>'

    def _homes(self) -> str:
        homes = [self._state.rows.views[i] for i in self._state.rows.homes.values()]
        return self._view_list("Home tabs", homes)

    def _views(self) -> str:
        stacks = self._state.rows.stacks
        return self._view_list("Open modals", [v for u in stacks for v in self._state.stack(u)])

    def _view_list(self, title: str, views: Iterable[View]) -> str:
        drawn = "".join(
            f'<article><span class="who">{html.escape(self.names(view.user))}</span> '
            f"{html.escape(view.title)}{blocks_html(view.blocks, self.names)}"
            f"{''.join(f'<p>⚠ {html.escape(text)}</p>' for text in view.errors.values())}</article>"
            for view in views
        )
        return f"<section><h2>{title}</h2>{drawn}</section>" if drawn else ""

    def _files(self) -> str:
        done = [file.id for file in self._state.rows.files.values() if file.completed]
        drawn = "".join(self._file(file_id) for file_id in done)
        return f"<section><h2>Files</h2>{drawn}</section>" if drawn else ""
