"""The control endpoint: faults in, ground truth out. On its own port, on this machine only, no key.

It answers only to this machine's names and never to a web page: a request with an Origin is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal
from urllib.parse import parse_qs

import msgspec
from aiohttp import web
from msgspec import Struct

from holdfast.sim.model import Account, NewOrder, Refused
from holdfast.sim.server.faults import BadFault, FaultSpec
from holdfast.sim.server.hub import USER
from holdfast.sim.server.pump import Pump
from holdfast.sim.server.reshaping import RESHAPES_MAX, Reshape
from holdfast.sim.server.sockets import StreamSockets
from holdfast.sim.server.truth import truth_of
from holdfast.sim.server.user_stream import UserStream
from holdfast.sim.server.venue import Venue
from holdfast.sim.server.wire_orders import answered
from holdfast.sim.server.ws_api import ApiSockets
from holdfast.vocab.orders import Side
from holdfast.vocab.units import NS_PER_MS, NotANumber, e8_of

_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})


class _Step(Struct, forbid_unknown_fields=True):
    """POST /clock: step the venue's clock by this much (or, with ``absolute``, to this much in all)."""

    step_ms: int
    absolute: bool = False


class _Disconnect(Struct, forbid_unknown_fields=True):
    """POST /disconnect: all, user, market, api, or one stream's name; ``abort`` cuts without a word."""

    streams: str = "all"
    abort: bool = True


class _Freeze(Struct, forbid_unknown_fields=True):
    """POST /freeze: streams fall silent while their sockets live.

    ``stream``: bookTicker, depth*, … of the symbol, or a whole name, with * and ?; or "user": every account's.
    """

    symbol: str = "*"
    stream: str = "*"


class _Say(Struct, forbid_unknown_fields=True):
    """POST /say: publish this very text on a stream ("user": the account's), well-formed or not."""

    stream: str
    text: str
    account: str = ""


class _LegacyWs(Struct, forbid_unknown_fields=True):
    """POST /legacy_ws: what the WebSocket URLs from before the split do from now on, open sockets included."""

    mode: Literal["live", "mute"]


class _Change(Struct, forbid_unknown_fields=True):
    """POST /account: what somebody changed of an account or of its key; what is not named stays.

    ``uid``: the key opens another account from now on. ``deadman_fires`` false: countdowns are taken and do nothing.
    """

    account: str = ""
    can_withdraw: bool | None = None
    can_trade: bool | None = None
    ip_restricted: bool | None = None
    dual_side: bool | None = None
    multi_assets: bool | None = None
    deadman_fires: bool | None = None
    uid: str | None = None


class _Misbook(Struct, forbid_unknown_fields=True):
    """POST /misbook: the venue's position changes by so much, with no order, execution or event that would tell why."""

    symbol: str
    quantity: str  # below zero: less
    account: str = ""


class _Bust(Struct, forbid_unknown_fields=True):
    """POST /bust: an execution is taken back, with its fee; ``trade_id`` 0: the newest of the symbol.

    Position, balance and the list of executions are as if it had not been. The user stream has no event for it: only
    ACCOUNT_UPDATE says that the balance was adjusted.
    """

    symbol: str
    trade_id: int = 0
    account: str = ""


class _Halt(Struct, forbid_unknown_fields=True):
    """POST /halt: the venue takes no orders in a symbol from now on, and says so; ``halted`` false: it does again."""

    symbol: str
    halted: bool = True


class _Transfer(Struct, forbid_unknown_fields=True):
    """POST /transfer: bring cash in (+) or take it out (−)."""

    amount: str
    asset: str = "USDT"
    account: str = ""


class _Funding(Struct, forbid_unknown_fields=True):
    """POST /funding: pay funding now. ``rate_ppb`` of the mark; longs pay a positive rate."""

    symbol: str
    rate_ppb: int


class _Manual(Struct, forbid_unknown_fields=True):
    """POST /manual_order: somebody trades the account in the app. Without a price, at market."""

    symbol: str
    side: str
    quantity: str
    price: str = ""
    account: str = ""
    reduce_only: bool = False


class _Expire(Struct, forbid_unknown_fields=True):
    """POST /expire_listen_key: the account's listen key ends now."""

    account: str = ""


class _Ban(Struct, forbid_unknown_fields=True):
    """POST /ban: an address is banned for so many seconds."""

    seconds: int
    address: str = "127.0.0.1"


_CHANGED: Final = tuple(name for name in _Change.__struct_fields__ if name != "account")


class BadRequest(Exception):
    """What a person asked for makes no sense: one line."""


class Control:
    """Answers the control endpoint of one venue."""

    def __init__(
        self, venue: Venue, sockets: StreamSockets, api: ApiSockets, user: UserStream, pump: Pump
    ) -> None:
        self._venue = venue
        self._api = api
        self._sockets = sockets
        self._user = user
        self._pump = pump
        self._handlers: dict[tuple[str, str], Callable[[dict[str, str], bytes], object]] = {
            ("GET", "/status"): self._status,
            ("GET", "/truth"): self._truth,
            ("GET", "/faults"): self._faults,
            ("POST", "/faults"): self._add_fault,
            ("DELETE", "/faults"): self._remove_faults,
            ("POST", "/clock"): self._clock,
            ("POST", "/disconnect"): self._disconnect,
            ("POST", "/freeze"): self._freeze,
            ("DELETE", "/freeze"): self._thaw,
            ("POST", "/say"): self._say,
            ("POST", "/legacy_ws"): self._legacy_ws,
            ("POST", "/account"): self._change_account,
            ("POST", "/misbook"): self._misbook,
            ("POST", "/bust"): self._bust,
            ("POST", "/halt"): self._halt,
            ("POST", "/reshape"): self._reshape,
            ("DELETE", "/reshape"): self._keep_shape,
            ("POST", "/transfer"): self._transfer,
            ("POST", "/funding"): self._funding,
            ("POST", "/manual_order"): self._manual_order,
            ("POST", "/expire_listen_key"): self._expire_listen_key,
            ("POST", "/ban"): self._ban,
        }

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        if host not in _NAMES or "Origin" in request.headers:
            return _answer(403, {"error": "only this machine may ask, and no web page"})
        path, _, query = request.raw_path.partition("?")
        handler = self._handlers.get((request.method, path))
        if handler is None:
            known = sorted(f"{method} {name}" for method, name in self._handlers)
            return _answer(404, {"error": f"unknown: {request.method} {path}", "known": known})
        asked = {name: texts[-1] for name, texts in parse_qs(query).items()}
        try:
            body = await request.read()
            result = handler(asked, body)
        except msgspec.MsgspecError as why:
            return _answer(400, {"error": str(why)})
        except (BadRequest, BadFault, NotANumber) as why:
            return _answer(400, {"error": str(why)})
        except Refused as why:
            return _answer(400, {"error": why.msg, "code": why.code})
        self._venue.hub.flush()
        self._venue.nudge()
        return _answer(200, result)

    def _account(self, name: str) -> Account:
        accounts = self._venue.exchange.accounts
        if not name:
            return next(iter(accounts.values()))
        if name not in accounts:
            raise BadRequest(f"no account {name!r}: one of {', '.join(accounts)}")
        return accounts[name]

    # --- reading -----------------------------------------------------------------------------------------------

    def _status(self, asked: dict[str, str], body: bytes) -> object:
        venue = self._venue
        hub = venue.hub
        return {
            "now_venue_ns": venue.now_ns(),
            "step_ns": venue.step_ns,
            "speed": venue.config.speed,
            "accounts": list(venue.exchange.accounts),
            "symbols": list(venue.market.symbols),
            "market": {
                "frames": self._pump.frames,
                "ended": self._pump.ended,
                "late_ns_max": self._pump.late_ns_max,
            },
            "sockets": self._sockets.state(),
            "sent": hub.sent_count,
            "slow_cut": hub.slow_cut,
            "too_chatty": self._sockets.too_chatty,
            "frozen": list(hub.frozen),
            "frozen_count": hub.frozen_count,
            "user_sent": self._user.sent,
            "user_unheard": self._user.unheard,
            "order_requests": venue.requests.total,
        }

    def _truth(self, asked: dict[str, str], body: bytes) -> object:
        try:
            since_seq = int(asked.get("since_seq", "0"))
        except ValueError:
            raise BadRequest("since_seq must be a whole number") from None
        return truth_of(
            self._venue,
            self._account(asked.get("account", "")),
            since_seq=since_seq,
            with_requests=asked.get("requests", "1") != "0",
        )

    # --- faults -----------------------------------------------------------------------------------------------

    def _faults(self, asked: dict[str, str], body: bytes) -> object:
        now_ns = self._venue.now_ns()
        return [
            {
                "fault_id": one.fault_id,
                "spec": one.spec,
                "seen": one.seen,
                "struck": one.struck,
                "over": one.over(now_ns),
            }
            for one in self._venue.faults.faults.values()
        ]

    def _add_fault(self, asked: dict[str, str], body: bytes) -> object:
        spec = msgspec.json.decode(body, type=FaultSpec)
        fault = self._venue.faults.add(spec, self._venue.now_ns())
        return {"fault_id": fault.fault_id}

    def _remove_faults(self, asked: dict[str, str], body: bytes) -> object:
        text = asked.get("fault_id")
        if text is not None and not text.isdigit():
            raise BadRequest("fault_id must be a whole number")
        return {"removed": self._venue.faults.remove(None if text is None else int(text))}

    def _clock(self, asked: dict[str, str], body: bytes) -> object:
        step = msgspec.json.decode(body, type=_Step)
        before = 0 if step.absolute else self._venue.step_ns
        self._venue.step_ns = before + step.step_ms * NS_PER_MS
        return {"step_ms": self._venue.step_ns // NS_PER_MS}

    def _disconnect(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body or b"{}", type=_Disconnect)
        cut = self._sockets.disconnect(wish.streams, abort=wish.abort)
        if wish.streams in {"all", "api"}:
            cut += self._api.disconnect()
        return {"disconnected": cut}

    def _freeze(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Freeze)
        pattern = (
            wish.stream
            if "@" in wish.stream or wish.stream == USER
            else f"{wish.symbol.lower()}@{wish.stream}"
        )
        self._venue.hub.freeze(pattern)
        return {"frozen": list(self._venue.hub.frozen)}

    def _thaw(self, asked: dict[str, str], body: bytes) -> object:
        self._venue.hub.thaw(asked.get("pattern"))
        return {"frozen": list(self._venue.hub.frozen)}

    def _say(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Say)
        stream = wish.stream
        if stream == USER:
            account = self._account(wish.account)
            key = self._venue.listen_keys.valid(account.name, self._venue.now_ns())
            if key is None:
                raise BadRequest(f"account {account.name} has no listen key now")
            stream = key
        return {"heard": self._venue.hub.publish(stream, wish.text.encode())}

    def _legacy_ws(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_LegacyWs)
        self._venue.hub.mute_legacy(mute=wish.mode == "mute")
        return {"mode": wish.mode}

    def _expire_listen_key(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body or b"{}", type=_Expire)
        account = self._account(wish.account)
        return {"expired": self._venue.listen_keys.expire_now(account.name, self._venue.now_ns())}

    def _ban(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Ban)
        self._venue.limits.ban(wish.address, wish.seconds, self._venue.now_ns())
        return {"banned_s": wish.seconds}

    def _change_account(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Change)
        account = self._account(wish.account)
        changed = {name: new for name in _CHANGED if (new := getattr(wish, name)) is not None}
        for name, new in changed.items():
            setattr(account, name, new)
        return changed

    def _halt(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Halt)
        view = self._venue.view(wish.symbol)
        view.spec = self._venue.exchange.halt(view.symbol, halted=wish.halted)
        return {"status": view.spec.status.value}

    def _misbook(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Misbook)
        exchange, view = self._venue.exchange, self._venue.view(wish.symbol)
        size = view.numerals.lots_of(wish.quantity.removeprefix("-"), "quantity")
        lots = -size if wish.quantity.startswith("-") else size
        row = self._account(wish.account).positions.get((view.symbol, "BOTH"))
        if row is None:
            raise BadRequest(f"no one-way position in {view.symbol} to change")
        row.position_lots += lots
        row.cost_e8 += lots * exchange.mark_ticks(view.symbol) * exchange.specs[view.symbol].tick_lot_e8
        return {"position_lots": row.position_lots}

    def _bust(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Bust)
        exchange, symbol = self._venue.exchange, self._venue.view(wish.symbol).symbol
        account = self._account(wish.account)
        newest = next((one.trade_id for one in reversed(account.fills) if one.symbol == symbol), 0)
        taken = exchange.bust(account, symbol, wish.trade_id or newest, self._venue.now_ns(), why="control")
        if taken is None:
            raise BadRequest(f"no execution {wish.trade_id or 'at all'} of {symbol} to take back")
        return {"trade_id": taken.trade_id, "quantity": self._venue.view(symbol).numerals.qty(taken.qty_lots)}

    def _reshape(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=Reshape)
        wanted = self._venue.reshaping.wanted
        if len(wanted) >= RESHAPES_MAX:
            raise BadRequest(f"{RESHAPES_MAX} fields are reshaped already")
        wanted.append(wish)
        return {"reshaped": len(wanted)}

    def _keep_shape(self, asked: dict[str, str], body: bytes) -> object:
        wanted = self._venue.reshaping.wanted
        gone = len(wanted)
        wanted.clear()
        return {"removed": gone}

    # --- acts -------------------------------------------------------------------------------------------------

    def _transfer(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Transfer)
        account = self._account(wish.account)
        self._venue.exchange.transfer(account, wish.asset, e8_of(wish.amount), self._venue.now_ns())
        return {"wallet_e8": account.balances[wish.asset]}

    def _funding(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Funding)
        paid = self._venue.exchange.pay_funding(wish.symbol, wish.rate_ppb, self._venue.now_ns())
        return {"positions": paid}

    def _manual_order(self, asked: dict[str, str], body: bytes) -> object:
        wish = msgspec.json.decode(body, type=_Manual)
        venue = self._venue
        view = venue.view(wish.symbol)
        side = {"BUY": Side.BUY, "SELL": Side.SELL}.get(wish.side.upper())
        if side is None:
            raise BadRequest(f"side must be BUY or SELL, not {wish.side!r}")
        order = venue.exchange.place(
            self._account(wish.account),
            NewOrder(
                symbol=view.symbol,
                side=side,
                type="LIMIT" if wish.price else "MARKET",
                qty_lots=view.numerals.lots_of(wish.quantity, "quantity"),
                client_id=f"web_{venue.new_client_id()[:18]}",
                price_ticks=view.numerals.ticks_of(wish.price, "price") if wish.price else 0,
                reduce_only=wish.reduce_only,
            ),
            venue.now_ns(),
        )
        return answered(venue, order)


def _answer(http: int, value: object) -> web.Response:
    return web.Response(status=http, body=msgspec.json.encode(value), content_type="application/json")
