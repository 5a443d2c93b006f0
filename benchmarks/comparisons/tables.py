"""The rows that every way writes for an accepted request: the request, its event, its Idempotency-Key; with intake's columns and indexes.

What the comparisons leave out, and Aftercare does in the same transaction: recognise or register the customer, number events without holes,
keep a receipt, check the caller's key and scope.
"""

from typing import Final

CREATE: Final = """
CREATE TABLE request (
  request_id uuid PRIMARY KEY, reference text NOT NULL, customer_id uuid NOT NULL, principal text NOT NULL, channel text NOT NULL,
  content_digest bytea NOT NULL, type text, locale text NOT NULL, subject text, text text NOT NULL, contact jsonb NOT NULL,
  product jsonb, attachments jsonb NOT NULL, metadata jsonb NOT NULL, occurred_at timestamptz NOT NULL, received_at timestamptz NOT NULL,
  completeness double precision NOT NULL, missing_fields jsonb NOT NULL, entered_by text NOT NULL);
CREATE UNIQUE INDEX request_reference ON request (reference);
CREATE INDEX request_customer ON request (customer_id, received_at, request_id);
CREATE TABLE outbox (
  topic text, part smallint, seq bigserial, day date DEFAULT current_date, key text NOT NULL, type text NOT NULL, event_id uuid NOT NULL,
  previous_id uuid, headers jsonb NOT NULL, payload bytea NOT NULL, created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (topic, part, seq, day));
CREATE TABLE idempotency (
  principal text, route text, key text, fingerprint bytea NOT NULL, status int, headers jsonb, response bytea,
  created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (principal, route, key));
CREATE INDEX idempotency_created_at ON idempotency (created_at);
"""

TOPIC: Final = "aftercare.intake"
TYPE: Final = "request.received.v1"
PRINCIPAL: Final = "service"
ROUTE: Final = "POST /v1/requests"
HEADERS: Final = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "source": "/aftercare/intake"}
