"""Venues, instruments, funding rates by month, the latest of each, hourly samples and collection runs."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# `raw_value` and `raw_unit` are what the venue sent; `rate` is a fraction per `interval_seconds`, `rate_hourly` per hour.
# `positive_means` is the sign convention of all three. A rate that can't be known is null and says why.
_RATE = """
    raw_value text,
    raw_unit text,
    rate numeric,
    rate_hourly numeric,
    interval_seconds integer CHECK (interval_seconds > 0),
    kind text CHECK (kind IN ('predicted', 'settled', 'accruing')),
    positive_means text NOT NULL DEFAULT 'longs pay shorts',
    effective_at timestamptz,
    next_payment_at timestamptz,
    source text NOT NULL,
    provenance text NOT NULL,
    unknown_because text NOT NULL DEFAULT ''
"""
_WHOLE_OR_UNKNOWN = """
    CHECK ((rate IS NULL) = (unknown_because <> '')),
    CHECK ((rate IS NULL) = (rate_hourly IS NULL) AND (rate IS NULL) = (interval_seconds IS NULL)
           AND (rate IS NULL) = (kind IS NULL) AND (rate IS NULL) = (effective_at IS NULL))
"""

_TABLES = (
    """
    CREATE TABLE dexes (
        id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL UNIQUE,
        display_name text NOT NULL,
        api_base_url text NOT NULL,
        is_active boolean NOT NULL,
        supports_websocket boolean NOT NULL,
        maker_fee numeric NOT NULL,
        taker_fee numeric NOT NULL,
        funding_interval_hours numeric NOT NULL,
        rate_limit_per_minute integer NOT NULL,
        collection_interval_seconds double precision NOT NULL,
        last_success_at timestamptz,
        last_duration_ms integer,
        consecutive_errors integer NOT NULL DEFAULT 0,
        last_error text,
        last_error_at timestamptz
    )
    """,
    "CREATE TABLE symbols (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE)",
    """
    CREATE TABLE instruments (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        dex_id smallint NOT NULL REFERENCES dexes,
        symbol_id integer NOT NULL REFERENCES symbols,
        venue_symbol text NOT NULL,
        multiplier numeric NOT NULL CHECK (multiplier > 0),
        UNIQUE (dex_id, venue_symbol)
    )
    """,
    f"""
    CREATE TABLE funding_rates (
        dex_id smallint NOT NULL,
        instrument_id integer NOT NULL,
        time timestamptz NOT NULL,
        {_RATE},
        PRIMARY KEY (dex_id, instrument_id, time),
        {_WHOLE_OR_UNKNOWN}
    ) PARTITION BY RANGE (time)
    """,
    f"""
    CREATE TABLE latest (
        dex_id smallint NOT NULL REFERENCES dexes,
        instrument_id integer NOT NULL REFERENCES instruments,
        observed_at timestamptz NOT NULL,
        {_RATE},
        mark_price double precision,
        index_price double precision,
        open_interest_usd double precision,
        volume_24h_usd double precision,
        best_bid double precision,
        best_ask double precision,
        stats_at timestamptz,
        PRIMARY KEY (dex_id, instrument_id),
        {_WHOLE_OR_UNKNOWN}
    )
    """,
    """
    CREATE TABLE hourly_rates (
        instrument_id integer NOT NULL REFERENCES instruments,
        hour timestamptz NOT NULL,
        rate_hourly numeric NOT NULL,
        provenance text NOT NULL,
        PRIMARY KEY (instrument_id, hour)
    )
    """,
    "COMMENT ON TABLE hourly_rates IS 'The last known rate of each hour: evenly spaced samples for statistics'",
    """
    CREATE TABLE collection_runs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        dex_id smallint NOT NULL REFERENCES dexes,
        started_at timestamptz NOT NULL,
        completed_at timestamptz NOT NULL,
        duration_ms integer NOT NULL,
        status text NOT NULL CHECK (status IN ('success', 'failed')),
        rates_known integer NOT NULL,
        rates_unknown integer NOT NULL,
        error_message text,
        CHECK ((status = 'failed') = (error_message IS NOT NULL))
    )
    """,
    "CREATE INDEX collection_runs_by_dex ON collection_runs (dex_id, started_at DESC)",
)


def upgrade() -> None:
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    for table in ("collection_runs", "hourly_rates", "latest", "funding_rates", "instruments", "symbols", "dexes"):
        op.execute(f"DROP TABLE {table}")
