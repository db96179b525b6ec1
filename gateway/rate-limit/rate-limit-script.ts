import type { ConsumeRequest, ConsumeResult } from '../ports.ts'
import { grantedTokens, windowMs } from './window-state.ts'

/**
 * For each key its window's tokens: as many as requested, at most those left. ARGV is one JSON
 * array of quota, tokens, milliseconds and cost for each key, which is cheaper than one argument
 * each; the milliseconds of a sliding window are negative. The reply is one line for the same
 * reason, two numbers per key: tokens used before the call, and milliseconds left. A sliding window
 * has a third one: milliseconds until its current bucket ends.
 *
 * The clock is that of Redis: a key's time to live. A fixed window is a number that expires with
 * it. A sliding one is the numbers of its two buckets, which expire one window after the second
 * bucket: one key, so that no two keys have to be in one slot of a cluster. `window-state.ts` has
 * the same rules in words.
 */
export const rateLimitScript = `
local results, count, requests = {}, 0, cjson.decode(ARGV[1])
for i, key in ipairs(KEYS) do
  local quota, tokens, window, cost = requests[4 * i - 3], requests[4 * i - 2], requests[4 * i - 1], requests[4 * i]
  local value, used, left, bucket = redis.call('GET', key), 0, 0, nil
  if window > 0 then
    used = tonumber(value or 0)
    if used > 0 then left = redis.call('PTTL', key) end
    if left <= 0 then used, left = 0, window end
    local granted = tokens < 0 and math.max(tokens, -used) or math.min(tokens, math.max(0, quota - used))
    if granted > 0 then granted = granted - granted % cost end
    if granted ~= 0 then
      if used > 0 then redis.call('INCRBY', key, granted) else redis.call('SET', key, granted, 'PX', window) end
    end
  else
    window = -window
    local previous, current = 0, 0
    if value then
      local first, second = string.match(value, '^(%d+) (%d+)$')
      local ttl = redis.call('PTTL', key)
      if ttl > window then previous, current, left = tonumber(first), tonumber(second), ttl - window
      elseif ttl > 0 then previous, left = tonumber(second), ttl end
    end
    if left == 0 then left = window end
    used = math.ceil(previous * left / window) + current
    local granted = tokens < 0 and math.max(tokens, -current) or math.min(tokens, math.max(0, quota - used))
    if granted > 0 then granted = granted - granted % cost end
    current = current + granted
    if granted ~= 0 then
      redis.call('SET', key, string.format('%.0f %.0f', previous, current), 'PX', left + window)
    end
    bucket = left
    local room = math.max(0, quota - cost)
    if used + granted > room then
      if current <= room then left = left - math.floor(window * (room - current) / previous)
      else left = left + window - math.floor(window * room / current) end
    end
  end
  results[count + 1], results[count + 2], results[count + 3] = used, left, bucket
  count = #results
end
return table.concat(results, ' ')`

/**
 * One Redis key per window; it expires with the window. A sliding window has a key of another name,
 * as its value has another form.
 */
export const scriptKeys = (keyPrefix: string, requests: readonly ConsumeRequest[]): string[] =>
  requests.map(
    ({ key, windowSeconds, isSliding }) => `${keyPrefix}${isSliding ? 's' : ''}${windowSeconds}:${key}`,
  )

function argumentOf(request: ConsumeRequest): string {
  const length = windowMs(request)
  return `${request.quota},${request.tokens},${request.isSliding ? -length : length},${request.cost ?? 1}`
}

export const scriptArgument = (requests: readonly ConsumeRequest[]): string =>
  `[${requests.map(argumentOf).join()}]`

const replyPattern = /^(?:-?\d+(?: -?\d+)*)?$/

/** Read as JSON, which costs less than a string for each number. */
const readNumbers = (reply: string): number[] | undefined =>
  replyPattern.test(reply) ? JSON.parse(`[${reply.replaceAll(' ', ',')}]`) : undefined

/**
 * Derives the granted tokens by `grantedTokens`, the same rule as in the script. Of a refund to a
 * sliding window only the script knows how much was refunded.
 *
 * @param reply of the script
 * @throws Error for a malformed reply
 */
export function readResults(requests: readonly ConsumeRequest[], reply: string): ConsumeResult[] {
  const numbers = readNumbers(reply)
  const expected = requests.reduce((sum, { isSliding }) => sum + (isSliding ? 3 : 2), 0)
  if (numbers?.length !== expected) throw new Error('the response of the rate-limit store cannot be read')
  let at = 0
  return requests.map((request) => {
    const used = numbers[at++] as number
    const resetMs = numbers[at++] as number
    const bucketMs = request.isSliding ? (numbers[at++] as number) : resetMs
    const granted = grantedTokens(request, used)
    return { granted, used: used + granted, quota: request.quota, resetMs, bucketMs, shared: true }
  })
}
