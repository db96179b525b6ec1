import type { Take, Taken } from '../ports.ts'

/**
 * For each key its window's permits: as many as are wanted and left. ARGV has quota, permits and milliseconds for each key; the answer granted,
 * used and milliseconds left.
 */
export const takeScript = `
local answers = {}
for i, key in ipairs(KEYS) do
  local quota, permits, window = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local used = tonumber(redis.call('GET', key) or 0)
  local granted = permits < 0 and math.max(permits, -used) or math.min(permits, math.max(0, quota - used))
  local left = window
  if used > 0 then left = redis.call('PTTL', key) end
  if granted ~= 0 then
    if used > 0 then redis.call('INCRBY', key, granted) else redis.call('SET', key, granted, 'PX', window) end
  end
  answers[3 * i - 2], answers[3 * i - 1], answers[3 * i] = granted, used + granted, left
end
return answers`

/** One key a window of a limit, which ends with it. */
export const takeKeys = (keyPrefix: string, takes: readonly Take[]): string[] =>
  takes.map(({ key, windowSeconds }) => `${keyPrefix}${windowSeconds}:${key}`)

export const takeArguments = (takes: readonly Take[]): number[] =>
  takes.flatMap(({ quota, permits, windowSeconds }) => [quota, permits, windowSeconds * 1000])

/** @param numbers the script's answer */
export const readTaken = (takes: readonly Take[], numbers: readonly number[]): Taken[] =>
  takes.map(({ quota }, i) => {
    const [granted = 0, used = 0, resetMs = 0] = numbers.slice(3 * i)
    return { granted, used, quota, resetMs, shared: true }
  })
