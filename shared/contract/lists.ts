import * as z from 'zod'

const defaultPageSize = 50
const maxPageSize = 200

/** How every list is asked for its next page. */
export const pageParameters = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(maxPageSize)
    .default(defaultPageSize)
    .meta({ description: 'How many items a page has.' }),
  cursor: z
    .string()
    .max(1024)
    .optional()
    .meta({ description: '`next_cursor` of the page before, with the same filters.' }),
}

/**
 * One page; `next_cursor` is null on the last one, and otherwise also the `next` of the Link header
 * (RFC 8288).
 */
export const listOf = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() })

export interface ListResponse<Item> {
  items: Item[]
  next_cursor: string | null
}

/** A paginated list: its query and its response. */
export const list = <Item extends z.ZodType>(item: Item) => filteredList(item, {})

/** As `list`, of the items that match filters. */
export function filteredList<Item extends z.ZodType, Filters extends z.ZodRawShape>(
  item: Item,
  filters: Filters,
) {
  return {
    query: { ...filters, ...pageParameters },
    responses: { 200: { description: 'One page.', schema: listOf(item), headers: ['Link'] } },
  } as const
}
