// Tells when figures changed: by the event stream, or by asking twice a minute where a stream does not get through.
"use strict";

const POLLING = 30000;
const PATIENCE = 3;

// `changed` is called whenever there may be news, `state` with "live", "polling" or "waiting".
export function listen(changed, state) {
  let failures = 0;
  let timer = null;

  function poll() {
    if (timer !== null) return;
    state("polling");
    timer = setInterval(changed, POLLING);
  }

  function stopPolling() {
    clearInterval(timer);
    timer = null;
  }

  function open() {
    const stream = new EventSource("v1/live");
    stream.addEventListener("open", () => {
      failures = 0;
      stopPolling();
      state("live");
    });
    stream.addEventListener("snapshot", changed);
    stream.addEventListener("change", changed);
    stream.addEventListener("error", () => {
      failures += 1;
      if (stream.readyState === EventSource.CLOSED) {
        // refused for good: the browser will not try again, we do
        poll();
        setTimeout(open, POLLING);
      } else if (failures >= PATIENCE) {
        poll();
      } else {
        state("waiting");
      }
    });
  }

  open();
}
