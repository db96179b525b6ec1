import type { ConsumeRequest, ConsumeResult } from '../ports.ts'
import { grantedTokens } from './fallback-store.ts'

/**
 * For each key its window's tokens: as many as requested, at most those left. ARGV is one JSON
 * array of quota, tokens and milliseconds for each key, which is cheaper than one argument each.
 * The reply is one line for the same reason, two numbers per key: tokens used before the call, and
 * milliseconds left.
 */
export const rateLimitScript = `
local results, requests = {}, cjson.decode(ARGV[1])
for i, key in ipairs(KEYS) do
  local quota, tokens, window = requests[3 * i - 2], requests[3 * i - 1], requests[3 * i]
  local used = tonumber(redis.call('GET', key) or 0)
  local granted = tokens < 0 and math.max(tokens, -used) or math.min(tokens, math.max(0, quota - used))
  local left = window
  if used > 0 then left = redis.call('PTTL', key) end
  if granted ~= 0 then
    if used > 0 then redis.call('INCRBY', key, granted) else redis.call('SET', key, granted, 'PX', window) end
  end
  results[2 * i - 1], results[2 * i] = used, left
end
return table.concat(results, ' ')`

/** One Redis key per window; it expires with the window. */
export const scriptKeys = (keyPrefix: string, requests: readonly ConsumeRequest[]): string[] =>
  requests.map(({ key, windowSeconds }) => `${keyPrefix}${windowSeconds}:${key}`)

export const scriptArgument = (requests: readonly ConsumeRequest[]): string =>
  `[${requests.map(({ quota, tokens, windowSeconds }) => `${quota},${tokens},${windowSeconds * 1000}`).join()}]`

const replyPattern = /^(?:-?\d+(?: -?\d+)*)?$/

/** Read as JSON, which costs less than a string for each number. */
const readNumbers = (reply: string): number[] | undefined =>
  replyPattern.test(reply) ? JSON.parse(`[${reply.replaceAll(' ', ',')}]`) : undefined

/**
 * Derives the granted tokens by `grantedTokens`, the same rule as in the script.
 *
 * @param reply of the script
 * @throws Error for a malformed reply
 */
export function readResults(requests: readonly ConsumeRequest[], reply: string): ConsumeResult[] {
  const numbers = readNumbers(reply)
  if (numbers?.length !== 2 * requests.length)
    throw new Error('the response of the rate-limit store cannot be read')
  return requests.map((request, i) => {
    const used = numbers[2 * i] as number
    const granted = grantedTokens(request, used)
    return {
      granted,
      used: used + granted,
      quota: request.quota,
      resetMs: numbers[2 * i + 1] as number,
      shared: true,
    }
  })
}
