"""The talk about a row of mails, against a strict server that is no process either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.domain.runs import Verdict
from services.delivery.smtp.dialogue import Dialogue
from services.delivery.smtp.mails import Answer, Mail
from services.delivery.smtp.replies import Capabilities, ProtocolViolation, ReplyParser
from tests.unit.delivery.smtp.server import PIPELINING, SEQUENTIAL, Conduct, PureServer

NEVER = 1e9
CONTENT = b"Subject: a\r\n\r\n.dots\r\n..\r\nend\r\n"


def a_mail(number: int, content: bytes = CONTENT) -> Mail:
    return Mail("news@example.org", f"r{number}@example.net", content, key=number)


def a_dialogue(
    mails: Sequence[Mail] | Iterator[Mail], peer: Capabilities = PIPELINING, until: float = NEVER
) -> Dialogue:
    return Dialogue(iter(mails), peer, relay="mx:25", until=until, clock=lambda: 0.0)


class Talk:
    """A dialogue and a server that hear each other in pieces, until the wire is cut."""

    def __init__(
        self,
        dialogue: Dialogue,
        server: PureServer,
        *,
        pieces: Sequence[int] = (),
        cut_at: int = -1,
    ) -> None:
        self.dialogue = dialogue
        self.server = server
        self.left = cut_at
        self.writes: list[bytes] = []
        self._pieces = [*pieces, 10_000]
        self._parser = ReplyParser()

    def run(self) -> list[Answer]:
        self.dialogue.start()
        turn = 0
        while not self.dialogue.over:
            write = b"".join(self.dialogue.out)
            self.dialogue.out = []
            assert write, "both wait for the other"
            self.writes.append(write)
            data = b"".join(self.server.receive(write))
            while data and not self.dialogue.lost:
                size = max(1, self._pieces[turn % len(self._pieces)])
                turn += 1
                self._hear(data[:size])
                data = data[size:]
                if self.dialogue.out:
                    assert not data, "something was said before the server had finished"
                if turn % 3:
                    self.dialogue.look_ahead()
        return self.dialogue.answers

    def _hear(self, piece: bytes) -> None:
        if 0 <= self.left < len(piece):
            piece, cut = piece[: self.left], True
        else:
            self.left -= len(piece) if self.left >= 0 else 0
            cut = False
        for reply in self._parser.feed(piece):
            self.dialogue.receive(reply)
        if cut:
            self.dialogue.lose()


def verdict(code: int) -> Verdict:
    return Verdict.FAILED if code >= 500 else Verdict.DEFERRED


REFUSAL = st.sampled_from([450, 451, 550, 553])
CONDUCT = st.builds(
    Conduct,
    mail=st.just(250) | st.just(250) | REFUSAL,
    rcpt=st.sampled_from([250, 251]) | st.just(250) | REFUSAL,
    data=st.just(354) | st.just(354) | REFUSAL,
    final=st.just(250) | st.just(250) | REFUSAL,
)
PEER = st.sampled_from([PIPELINING, SEQUENTIAL])
PIECES = st.lists(st.integers(1, 40), max_size=6)


@given(st.lists(CONDUCT, max_size=7), PEER, st.booleans(), PIECES)
def test_every_mail_gets_the_answer_it_was_given_however_it_arrives(
    conducts: list[Conduct], peer: Capabilities, lenient: bool, pieces: list[int]
) -> None:
    mails = [a_mail(i) for i in range(len(conducts))]
    server = PureServer(peer, conducts, lenient=lenient)
    answers = Talk(a_dialogue(mails, peer), server, pieces=pieces).run()
    assert len(answers) == len(mails)
    taken = []
    for mail, conduct, answer in zip(mails, conducts, answers, strict=True):
        refusal = conduct.first_refusal
        assert answer.verdict is (verdict(refusal) if refusal else Verdict.SENT)
        assert answer.code.startswith(str(refusal or 250))
        assert answer.relay == "mx:25"
        if not refusal:
            taken.append((mail.recipient, CONTENT))
    assert server.took == taken


@given(st.lists(CONDUCT, min_size=1, max_size=5), PEER, st.booleans(), PIECES, st.integers(0, 900))
def test_a_cut_wire_leaves_at_most_one_mail_in_doubt_and_none_wrongly_told(
    conducts: list[Conduct], peer: Capabilities, lenient: bool, pieces: list[int], cut_at: int
) -> None:
    mails = [a_mail(i) for i in range(len(conducts))]
    server = PureServer(peer, conducts, lenient=lenient)
    answers = Talk(a_dialogue(mails, peer), server, pieces=pieces, cut_at=cut_at).run()
    took = {recipient for recipient, _ in server.took}
    doubted = [i for i, one in enumerate(answers) if one.verdict is Verdict.AMBIGUOUS]
    assert len(doubted) <= 1
    for mail, answer in zip(mails, answers, strict=False):
        if answer.verdict is Verdict.SENT:
            assert mail.recipient in took
        elif answer.verdict is Verdict.AMBIGUOUS:
            assert mail.recipient in server.got
        else:
            assert mail.recipient not in took
    for i in doubted:
        assert all(one.verdict is Verdict.RELEASED for one in answers[i + 1 :])


@given(
    st.lists(
        st.sampled_from([b"250 ok\r\n", b"354 go\r\n", b"550 no\r\n", b"421 bye\r\n", b"451 x\r\n"])
        | st.binary(max_size=12),
        max_size=25,
    ).map(b"".join),
    PEER,
)
def test_a_server_that_says_anything_neither_hangs_nor_breaks_the_client(
    noise: bytes, peer: Capabilities
) -> None:
    dialogue = a_dialogue([a_mail(i) for i in range(3)], peer)
    dialogue.start()
    try:
        for reply in ReplyParser().feed(noise):
            dialogue.receive(reply)
    except ProtocolViolation:
        pass
    dialogue.lose()
    assert dialogue.over
    assert [one.verdict for one in dialogue.answers].count(Verdict.AMBIGUOUS) <= 1


def test_a_content_and_the_next_envelope_leave_in_one_write() -> None:
    dialogue = a_dialogue([a_mail(i) for i in range(3)])
    talk = Talk(dialogue, PureServer(PIPELINING, [Conduct()] * 3))
    talk.run()
    envelope = b"MAIL FROM:<news@example.org> SIZE=%d\r\nRCPT TO:<r1@example.net>\r\nDATA\r\n"
    assert len(talk.writes) == 4
    assert talk.writes[1].endswith(b"\r\n.\r\n" + envelope % len(CONTENT))


def test_without_pipelining_each_command_waits_for_its_reply() -> None:
    talk = Talk(
        a_dialogue([a_mail(i) for i in range(2)], SEQUENTIAL),
        PureServer(SEQUENTIAL, [Conduct(rcpt=550), Conduct()]),
    )
    talk.run()
    verbs = [write[:4] for write in talk.writes]
    assert verbs == [b"MAIL", b"RCPT", b"RSET", b"MAIL", b"RCPT", b"DATA", b"Subj"]


def test_a_server_that_wants_data_for_nobody_gets_a_lone_dot() -> None:
    server = PureServer(PIPELINING, [Conduct(rcpt=550), Conduct()], lenient=True)
    answers = Talk(a_dialogue([a_mail(0), a_mail(1)]), server).run()
    assert [one.verdict for one in answers] == [Verdict.FAILED, Verdict.SENT]
    assert server.lone_dots == 1


def test_the_next_row_of_mails_finds_no_open_transaction() -> None:
    server = PureServer(PIPELINING, [Conduct(rcpt=550), Conduct()])
    Talk(a_dialogue([a_mail(0)]), server).run()
    [answer] = Talk(a_dialogue([a_mail(1)]), server).run()
    assert answer.verdict is Verdict.SENT


GROUP = ["250 ok", "250 ok", "354 go"]


@pytest.mark.parametrize(
    ("replies", "verdicts"),
    [
        (["421 bye"], ["deferred", "released", "released"]),
        (["250 ok", "421 bye"], ["deferred", "released", "released"]),
        (["250 ok", "550 no", "421 bye"], ["failed", "released", "released"]),
        ([*GROUP, "421 bye"], ["deferred", "released", "released"]),
        ([*GROUP, "250 ok", "421 bye"], ["sent", "deferred", "released"]),
        ([*GROUP, "250 ok", *GROUP, "421 bye"], ["sent", "deferred", "released"]),
    ],
)
def test_a_421_ends_everything_and_defers_what_it_answers(
    replies: list[str], verdicts: list[str]
) -> None:
    dialogue = a_dialogue([a_mail(i) for i in range(3)])
    dialogue.start()
    for line in replies:
        for reply in ReplyParser().feed(f"{line}\r\n".encode()):
            dialogue.receive(reply)
    assert dialogue.lost
    found = [one.verdict.value for one in dialogue.answers]
    assert found + ["released"] * (3 - len(found)) == verdicts


@pytest.mark.parametrize(
    ("replies", "verdicts"),
    [
        (["354 go"], ["deferred"]),
        (["250 ok", "250 ok", "250 ok"], ["deferred"]),
        (["550 no", "250 ok"], ["deferred"]),
        ([*GROUP, "354 go"], ["ambiguous", "released"]),
        ([*GROUP, "250 ok", "250 ok", "354 go"], ["sent", "deferred"]),
        ([*GROUP, "250 ok", *GROUP, "250 ok", "250 more"], ["sent", "sent"]),
    ],
)
def test_what_no_server_may_say_is_believed_of_no_mail(
    replies: list[str], verdicts: list[str]
) -> None:
    dialogue = a_dialogue([a_mail(i) for i in range(2)])
    dialogue.start()
    *before, last = ReplyParser().feed("".join(f"{line}\r\n" for line in replies).encode())
    for reply in before:
        dialogue.receive(reply)
    with pytest.raises(ProtocolViolation):
        dialogue.receive(last)
    assert dialogue.lost
    assert [one.verdict.value for one in dialogue.answers][: len(verdicts)] == verdicts


def test_no_mail_is_begun_after_its_time() -> None:
    now = [0.0]
    begun: list[int] = []

    def mails() -> Iterator[Mail]:
        for i in range(5):
            begun.append(i)
            now[0] += 1
            yield a_mail(i)

    waiting = mails()
    dialogue = Dialogue(waiting, PIPELINING, relay="mx:25", until=2.5, clock=lambda: now[0])
    answers = Talk(dialogue, PureServer(PIPELINING, [Conduct()] * 5)).run()
    assert [one.verdict.value for one in answers] == ["sent", "sent", "released"]
    assert list(waiting) == [a_mail(3), a_mail(4)]


def test_mails_are_taken_one_ahead_and_no_more() -> None:
    taken: list[int] = []

    def mails() -> Iterator[Mail]:
        for i in range(9):
            taken.append(i)
            yield a_mail(i)

    dialogue = a_dialogue(mails())
    dialogue.start()
    assert taken == [0]
    dialogue.look_ahead()
    dialogue.look_ahead()
    assert taken == [0, 1]


@pytest.mark.parametrize(
    ("mail", "peer", "fault"),
    [
        (a_mail(0, b"a\nb"), PIPELINING, "unsendable: a line ends in a bare CR or LF"),
        (a_mail(0, b"x" * 999), PIPELINING, "unsendable: a line is over 998 octets long"),
        (a_mail(0, b"\xe9\r\n"), Capabilities(), "unsendable: the server takes no 8-bit content"),
        (
            a_mail(0),
            replace(PIPELINING, size=5),
            "unsendable: the server takes 5 octets at most",
        ),
        (replace(a_mail(0), recipient="a\r\n@x.example"), PIPELINING, "bad_address"),
        (replace(a_mail(0), sender="a<@x.example"), PIPELINING, "unsendable: the sender's address"),
    ],
)
def test_what_cannot_be_sent_fails_alone_and_says_why(
    mail: Mail, peer: Capabilities, fault: str
) -> None:
    dialogue = a_dialogue([mail, a_mail(1, b"a\r\n")], peer)
    server = PureServer(peer, [Conduct()])
    bad, good = Talk(dialogue, server).run()
    assert (bad.verdict, bad.reason, bad.code) == (Verdict.FAILED, fault, "")
    assert good.verdict is Verdict.SENT


def test_the_envelope_declares_what_the_server_wants_to_know() -> None:
    peer = Capabilities(pipelining=True, sizes=True, size=99, eight_bit=True, utf8=True)
    dialogue = a_dialogue([Mail("", "ré@x.example", "é\r\n".encode())], peer)
    dialogue.start()
    assert dialogue.out == [
        "MAIL FROM:<> SIZE=4 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<ré@x.example>\r\nDATA\r\n".encode()
    ]


def test_trouble_with_the_mails_themselves_is_raised() -> None:
    def mails() -> Iterator[Mail]:
        yield a_mail(0)
        raise LookupError

    dialogue = a_dialogue(mails())
    dialogue.start()
    with pytest.raises(LookupError):
        dialogue.look_ahead()
    dialogue.lose()
    assert [one.verdict for one in dialogue.answers] == [Verdict.DEFERRED]
