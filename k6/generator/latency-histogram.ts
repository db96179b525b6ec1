/**
 * Latencies in constant memory: microseconds in buckets that are at most 1/64 of their value wide.
 * Mean and maximum are exact.
 */
export function createLatencyHistogram() {
  const counts = new Uint32Array(buckets)
  let count = 0
  let sumUs = 0
  let maxUs = 0

  /** By nearest rank, the upper bound of its bucket. @param share 0.99 for p99 */
  function percentileUs(share: number): number {
    const rank = Math.max(1, Math.ceil(share * count))
    let seen = 0
    for (let bucket = 0; bucket < buckets; bucket++) {
      seen += counts[bucket] as number
      if (seen >= rank) return Math.min(upperBoundOf(bucket), maxUs)
    }
    return 0
  }

  return {
    record(us: number): void {
      const whole = Math.min(Math.max(0, Math.round(us)), greatestUs)
      const bucket = bucketOf(whole)
      counts[bucket] = (counts[bucket] as number) + 1
      count++
      sumUs += whole
      if (whole > maxUs) maxUs = whole
    },

    /** In milliseconds. */
    summary(): LatencySummary {
      return {
        count,
        mean: count === 0 ? 0 : sumUs / count / 1000,
        p50: percentileUs(0.5) / 1000,
        p90: percentileUs(0.9) / 1000,
        p95: percentileUs(0.95) / 1000,
        p99: percentileUs(0.99) / 1000,
        p999: percentileUs(0.999) / 1000,
        max: maxUs / 1000,
      }
    },

    reset(): void {
      counts.fill(0)
      count = 0
      sumUs = 0
      maxUs = 0
    },
  }
}

/** Milliseconds, beside the count. */
export interface LatencySummary {
  count: number
  mean: number
  p50: number
  p90: number
  p95: number
  p99: number
  p999: number
  max: number
}

/** Below this a bucket is one microsecond wide; from it on, an octave has half as many buckets. */
const exact = 128
const half = exact / 2
/** An hour and more, in an unsigned integer of 32 bits. */
const greatestUs = 2 ** 32 - 1
const buckets = exact + (32 - 7) * half

function bucketOf(us: number): number {
  if (us < exact) return us
  const octave = 31 - Math.clz32(us) - 6
  return exact + (octave - 1) * half + Math.floor(us / 2 ** octave) - half
}

function upperBoundOf(bucket: number): number {
  if (bucket < exact) return bucket
  const octave = Math.floor((bucket - exact) / half) + 1
  return (((bucket - exact) % half) + half + 1) * 2 ** octave - 1
}
