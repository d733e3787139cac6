"""Money that comes and goes: payments, refunds, and the card processors behind them."""
