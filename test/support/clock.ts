/** A clock that stands still until a test moves it. */
export function createClock(startMs = Date.UTC(2026, 0, 1)) {
  let nowMs = startMs
  return {
    now: () => nowMs,
    get seconds() {
      return Math.floor(nowMs / 1000)
    },
    advance(seconds: number) {
      nowMs += seconds * 1000
    },
  }
}
