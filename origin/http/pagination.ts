import type { Context } from 'hono'
import { z } from 'zod'
import { type ListResponse, pageParameters } from '../../shared/contract.ts'
import { queryParameters } from './query-parameters.ts'

/**
 * Validates the query of a list: its filters, `limit` and `cursor`. Pages follow a key, not an
 * offset: a page deep in a list costs what the first one does, and rows that come or go meanwhile
 * are neither skipped nor doubled.
 *
 * The cursor is opaque to the caller: the position after the last row of a page, in base64url. It
 * holds nothing that the row itself did not say, so it needs no signature.
 *
 * @param position of a row in the list's order, as a tuple of its key
 * @throws Problem `query_invalid` naming each parameter at fault, an unknown one too
 */
export function listQuery<Filters extends z.ZodRawShape, Position extends z.ZodType>(
  filters: Filters,
  position: Position,
) {
  const cursor = pageParameters.cursor.unwrap().transform((text, context): z.output<Position> => {
    const read = position.safeParse(decodeCursor(text))
    if (read.success) return read.data
    context.addIssue('is not a cursor of this list')
    return z.NEVER
  })
  const schema = z.strictObject({
    ...filters,
    limit: pageParameters.limit,
    cursor: cursor.optional(),
  })
  return queryParameters(schema, 'list')
}

interface ListResponseOptions<Row, Item> {
  /** What was asked for; the query that reads the rows asks for one more. */
  limit: number
  /** Of a row, as the list's `listQuery` reads it back. */
  position: (row: Row) => readonly (string | number)[]
  /** A row as the caller sees it. */
  item: (row: Row) => Item
}

/**
 * One page: `items`, and where there are more, the cursor to go on from, in the body and as a link
 * (RFC 8288).
 *
 * @param rows up to `limit + 1`: one too many says that there is another page
 */
export function listResponse<Row, Item>(
  c: Context,
  rows: readonly Row[],
  { limit, position, item }: ListResponseOptions<Row, Item>,
) {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const next = rows.length > limit && last !== undefined ? encodeCursor(position(last)) : null
  if (next !== null) {
    const url = new URL(c.req.url)
    url.searchParams.set('cursor', next)
    c.header('link', `<${url.pathname}${url.search}>; rel="next"`)
  }
  return c.json({ items: page.map(item), next_cursor: next } satisfies ListResponse<Item>)
}

function encodeCursor(position: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/** @returns undefined for what is none */
function decodeCursor(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined
  }
}
