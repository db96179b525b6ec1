import type { Context, Hono, MiddlewareHandler } from 'hono'
import * as z from 'zod'
import { type ListResponse, pageParameters } from '../../shared/contract/lists.ts'
import type { Endpoint, EndpointInput, ResponseBody } from '../../shared/endpoint/endpoint.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import type { OriginEnv } from './request-context.ts'
import { type Reply, serve } from './serve.ts'

/** A contract whose query and response are those of `list` in shared/contract/lists.ts. */
type ListEndpoint = Endpoint & { query: typeof pageParameters }

type ItemOf<E extends Endpoint> = ResponseBody<E> extends ListResponse<infer Item> ? Item : never

interface ListOptions<E extends Endpoint, Row, Position extends z.ZodType<readonly (string | number)[]>> {
  /** Schema of a row's position: the key of the list's order. */
  position: Position
  positionOf: (row: Row) => z.output<Position>
  /** A row in the form of the response. */
  item: (row: Row) => ItemOf<E>
}

type Filters<E extends Endpoint> = Omit<EndpointInput<E>['query'], 'limit' | 'cursor'>

/** A request for a page; `after` is the position of the last row of the previous page. */
interface ListCall<E extends Endpoint, Position> {
  params: EndpointInput<E>['params']
  filters: Filters<E>
  limit: number
  after: Position | undefined
}

/**
 * Registers the route of a list. Pages follow a key, not an offset: every page costs the same, and
 * rows that are inserted or deleted meanwhile do not shift it.
 *
 * The cursor is opaque to the caller: the position after the last row of a page, in base64url. The
 * cursor repeats values of that row, so it needs no signature.
 *
 * @param read returns up to `limit + 1` rows: the surplus row shows that another page follows
 * @throws Problem as `serve` does
 */
export function serveList<
  Env extends OriginEnv,
  E extends ListEndpoint,
  Row,
  Position extends z.ZodType<readonly (string | number)[]>,
>(
  routes: Hono<Env>,
  endpoint: E,
  guard: MiddlewareHandler<Env>,
  { position, positionOf, item }: ListOptions<E, Row, Position>,
  read: (call: ListCall<E, z.output<Position>>, c: Context<Env>) => Awaitable<readonly Row[]>,
): void {
  const cursor = pageParameters.cursor.unwrap().transform((text, context): z.output<Position> => {
    const decoded = position.safeParse(decodeCursor(text))
    if (decoded.success) return decoded.data
    context.addIssue('is not a cursor of this list')
    return z.NEVER
  })
  const paged: Endpoint = { ...endpoint, query: { ...endpoint.query, cursor: cursor.optional() } }

  serve(routes, paged, guard, async (call, c) => {
    const { params, query, respond } = call as unknown as PageCall<E, z.output<Position>>
    const { limit, cursor: after, ...filters } = query
    const rows = await read({ params, filters: filters as Filters<E>, limit, after }, c)
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    const next = rows.length > limit && last !== undefined ? encodeCursor(positionOf(last)) : null
    if (next !== null) {
      const url = new URL(c.req.url)
      url.searchParams.set('cursor', next)
      // RFC 8288.
      c.header('link', `<${url.pathname}${url.search}>; rel="next"`)
    }
    return respond({ items: page.map(item), next_cursor: next })
  })
}

/** The call of `serve` with the decoded cursor. */
interface PageCall<E extends Endpoint, Position> {
  params: EndpointInput<E>['params']
  query: { limit: number; cursor: Position | undefined }
  respond: (page: ListResponse<ItemOf<E>>) => Reply<Endpoint>
}

function encodeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/** @returns undefined for text that is no cursor */
function decodeCursor(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined
  }
}
