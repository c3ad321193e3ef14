"""Slow twins of matching and margin: lists and sums, one lot at a time. They share no code with the engine."""

from fractions import Fraction


class Resting:
    def __init__(self, name, owner, sign, price, lots, seq):
        self.name, self.owner, self.sign, self.price, self.lots, self.seq = (
            name,
            owner,
            sign,
            price,
            lots,
            seq,
        )
        self.ahead = self.filled = self.cost = 0
        self.resting = False
        self.status = "NEW"

    @property
    def left(self):
        return self.lots - self.filled

    def fill(self, price):
        self.filled += 1
        self.cost += price
        self.status = "PARTIALLY_FILLED" if self.left else "FILLED"
        self.resting = self.resting and self.left > 0


class Twin:
    """The book's rules of the design, read literally."""

    def __init__(self):
        self.touch = {}  # sign -> (price, lots)
        self.ladder: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.debits: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self.orders = {}
        self.seq = 0

    def shown(self, sign, price):
        touch = self.touch.get(sign)
        if touch is None or price * sign > touch[0] * sign:
            return 0
        lots = touch[1] if price == touch[0] else self.ladder[sign].get(price, 0)
        return max(0, lots - self.debits[sign].get(price, 0))

    def queue(self, sign, price=None):
        found = [o for o in self.orders.values() if o.resting and o.sign == sign and price in {None, o.price}]
        return sorted(found, key=lambda o: (-o.price * sign, o.seq))

    def serve(self, sign, price, *, debit):
        """One exogenous lot of a level is gone."""
        if debit:
            self.debits[sign][price] = self.debits[sign].get(price, 0) + 1
        for order in self.queue(sign, price):
            order.ahead = max(0, order.ahead - 1)

    # --- the market -------------------------------------------------------------------------------------------

    def quote(self, bid, bid_lots, ask, ask_lots):
        for sign, said in ((1, (bid, bid_lots)), (-1, (ask, ask_lots))):
            if self.touch.get(sign) != said:
                self.debits[sign] = {
                    p: n
                    for p, n in self.debits[sign].items()
                    if p * sign < said[0] * sign and p in self.ladder[sign]
                }
            self.touch[sign] = said
        for sign in (1, -1):
            touch, far = self.touch[sign][0], self.touch[-sign][0]
            for order in self.queue(sign):
                if order.price * sign < touch * sign:
                    continue
                order.ahead = min(order.ahead, self.shown(sign, order.price))
                while order.resting and order.price * sign >= far * sign and self.shown(-sign, far):
                    order.fill(order.price)
                    self.serve(-sign, far, debit=True)

    def depth(self, sign, price, lots):
        self.debits[sign].pop(price, None)
        if lots:
            self.ladder[sign][price] = lots
        else:
            self.ladder[sign].pop(price, None)
        for order in self.queue(sign, price):
            order.ahead = min(order.ahead, lots)

    def trade(self, price, lots, aggressor):
        sign = -aggressor
        for _ in range(lots):
            waiting = [o for o in self.queue(sign) if o.price * sign >= price * sign]
            if not waiting:
                return
            first = waiting[0]
            if first.price == price and first.ahead:
                self.serve(sign, price, debit=False)
            else:
                first.fill(first.price)

    # --- our orders -------------------------------------------------------------------------------------------

    def best(self, sign):
        """The best price of a side, ours or exogenous."""
        prices = [p for p in {*self.ladder[sign], self.touch[sign][0]} if self.shown(sign, p)]
        prices += [o.price for o in self.queue(sign)]
        return max(prices, key=lambda p: p * sign, default=None)

    def place(self, name, owner, sign, price, lots, tif):
        best = self.best(-sign)
        if tif == "GTX" and best is not None and best * sign <= price * sign:
            return
        self.seq += 1
        order = self.orders[name] = Resting(name, owner, sign, price, lots, self.seq)
        self.execute(order, tif)

    def execute(self, order, tif):
        sign = order.sign
        while order.left and order.status in {"NEW", "PARTIALLY_FILLED"}:
            price = self.best(-sign)
            if price is None or price * sign > order.price * sign:
                break
            queue = self.queue(-sign, price)
            if self.shown(-sign, price) and (not queue or queue[0].ahead):
                self.serve(-sign, price, debit=True)
                order.fill(price)
            elif queue[0].owner == order.owner:
                order.status = "EXPIRED_IN_MATCH"
            else:
                queue[0].fill(price)
                order.fill(price)
        if order.status in {"NEW", "PARTIALLY_FILLED"}:
            if tif == "IOC":
                order.status = "EXPIRED"
            else:
                self.seq += 1
                order.seq = self.seq
                order.ahead = max(
                    [self.shown(sign, order.price), *(o.ahead for o in self.queue(sign, order.price))]
                )
                order.resting = True

    def cancel(self, name):
        order = self.orders[name]
        order.resting, order.status = False, "CANCELED"

    def amend(self, name, price, lots, tif):
        order = self.orders[name]
        best = self.best(-order.sign)
        if lots <= order.filled:
            self.cancel(name)
        elif tif == "GTX" and best is not None and best * order.sign <= price * order.sign:
            order.resting, order.status = False, "EXPIRED"
        elif price == order.price and lots < order.lots:
            order.lots = lots
        else:
            order.resting, order.lots, order.price = False, lots, price
            self.execute(order, tif)


def naive_position(fills):
    """(lots, cost of what is held, realised) of one instrument in tick-lots, as exact fractions per closing."""
    lots, cost, realised = 0, Fraction(0), Fraction(0)
    for fill in fills:
        left = fill.qty_lots
        if lots * fill.side < 0:
            part = min(left, abs(lots))
            closed = Fraction(cost * part, abs(lots))
            realised += -fill.side * part * fill.price_ticks - closed
            cost -= closed
            lots += fill.side * part
            left -= part
        cost += fill.side * left * fill.price_ticks
        lots += fill.side * left
    return lots, cost, realised


def naive_summary(account, books, config):
    """(unrealised, initial, maintenance) of one-way positions, from fills and open orders alone; no rounding."""
    unrealised = initial = maintenance = Fraction(0)
    for symbol, (mark, unit, brackets) in books.items():
        lots, cost, _ = naive_position([f for f in account.fills if f.symbol == symbol])
        orders = [o for o in account.open_orders.values() if o.symbol == symbol and not o.reduce_only]
        buys = sum(o.price_ticks * (o.qty_lots - o.filled_lots) for o in orders if o.side > 0)
        sells = sum(o.price_ticks * (o.qty_lots - o.filled_lots) for o in orders if o.side < 0)
        worst = max(abs(lots * mark + buys), abs(lots * mark - sells))
        leverage = account.leverages.get(symbol, config.leverage_default)
        initial += Fraction(worst * unit, leverage)
        unrealised += (lots * mark - cost) * unit
        notional, floor = abs(lots) * mark * unit, 0
        for bracket in brackets:  # slice by slice, as a tax table
            part = max(0, min(notional, bracket.notional_e8_max) - floor)
            maintenance += Fraction(part * bracket.maintenance_ppm, 1_000_000)
            floor = bracket.notional_e8_max
    return unrealised, initial, maintenance
