import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import * as z from 'zod'
import { type TokenResponse, tokenResponse } from '../../../shared/contract.ts'
import type { Completion, Invocation } from '../history.ts'
import type { Recorder } from '../recorder.ts'

/** The part of an invocation that a client decides on. */
export type Intention = Omit<Invocation, 'id' | 'requestId' | 'invokedAt' | 'gateway'>

export interface Request {
  method: 'GET' | 'POST'
  path: string
  body?: unknown
  accessToken?: string
}

export interface CallResult extends Completion {
  tokens?: TokenResponse
}

/** Below the 30 s after which a gateway gives up, so that clients meet requests of the past. */
const timeoutMs = 8000

const problemBody = z.object({ code: z.string() })
const meBody = z.object({ email: z.string() })

/** Tokens in a history are digests, long enough to differ. */
export const digest = (token: string) => createHash('sha256').update(token).digest('base64url').slice(0, 12)

export const sessionOf = (accessToken: string): string =>
  z
    .object({ sid: z.string() })
    .parse(JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString())).sid

export type Call = ReturnType<typeof createCall>

/**
 * Calls gateways over kept connections, and records each call. Nothing is repeated here: a lost
 * response stays lost.
 *
 * @param ports of the gateways, by their number
 * @param prefix of request ids
 */
export function createCall({
  ports,
  prefix,
  recorder,
}: {
  ports: readonly number[]
  prefix: string
  recorder: Recorder
}) {
  const agent = new Agent({ keepAlive: true, timeout: 2 * timeoutMs })

  async function exchange(
    gateway: number,
    requestId: string,
    { method, path, body, accessToken }: Request,
    signal: AbortSignal,
  ) {
    const asked = request({
      agent,
      signal,
      host: '127.0.0.1',
      port: ports[gateway],
      method,
      path,
      headers: {
        'x-request-id': requestId,
        ...(accessToken && { authorization: `Bearer ${accessToken}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
    })
    asked.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    return { response, body: await text(response) }
  }

  /**
   * @param loseReplyAfterMs where set, the client gives up after this time
   * @returns undefined where there was no response
   */
  async function call(
    intention: Intention,
    gateway: number,
    asked: Request,
    loseReplyAfterMs = timeoutMs,
  ): Promise<CallResult> {
    const id = recorder.nextId()
    const requestId = `${prefix}-${String(id).padStart(6, '0')}`
    recorder.record({ event: 'invoked', id, requestId, gateway, invokedAt: performance.now(), ...intention })
    const result = await exchange(gateway, requestId, asked, AbortSignal.timeout(loseReplyAfterMs)).then(
      ({ response, body }) => readResponse(response, body),
      // No response, or a part of one.
      (): Omit<CallResult, 'id' | 'completedAt'> => ({}),
    )
    const { tokens, ...values } = { ...result, id, completedAt: performance.now() }
    recorder.record({ event: 'completed', ...values })
    return { ...values, ...(tokens && { tokens }) }
  }

  return Object.assign(call, { close: () => agent.destroy() })
}

function readResponse(response: IncomingMessage, body: string): Omit<CallResult, 'id' | 'completedAt'> {
  const { statusCode: status = 0, headers } = response
  const retryAfter = headers['retry-after']
  const isProblem = headers['content-type'] === 'application/problem+json'
  const code = isProblem ? problemBody.safeParse(parse(body)).data?.code : undefined
  const tokens = tokenResponse.safeParse(parse(body)).data
  const me = meBody.safeParse(parse(body)).data
  return {
    status,
    ...(code && { code }),
    ...(retryAfter && { retryAfter }),
    ...(tokens && {
      tokens,
      returnedSession: sessionOf(tokens.access_token),
      returnedToken: digest(tokens.refresh_token),
    }),
    ...(me && { returnedAccount: me.email }),
  }
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
