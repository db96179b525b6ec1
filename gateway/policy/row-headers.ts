import * as z from 'zod'
import { headerName, originPattern } from '../../shared/http/origin-pattern.ts'
import type { MatchedRoute } from '../../shared/http/request-lifecycle.ts'

/** In place of a value: the header is the upstream's. */
export const ofUpstream = 'upstream'

/** Written to the wire as it is, so it can hold no line break. */
const headerValue = z
  .string()
  .max(4096)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, {
    error: `must be one line of ASCII, or ${ofUpstream}`,
  })

/** Fields of a row that change headers of its responses. */
export const rowHeaderShape = {
  cors: z
    .strictObject({
      /** In place of CORS_ORIGINS. */
      origins: z.array(originPattern).optional(),
      /** Allowed beside the usual ones, and no others: in place of CORS_REQUEST_HEADERS. */
      request_headers: z.array(headerName).optional(),
      /** Readable beside the usual ones and those of CORS_EXPOSED_HEADERS. */
      exposed_headers: z.array(headerName).optional(),
      max_age_seconds: z.int().min(0).max(86_400).optional(),
    })
    .optional(),
  /** Cross-Origin-Resource-Policy. */
  corp: z.enum(['same-origin', 'same-site', 'cross-origin', ofUpstream]).optional(),
  /** Content-Security-Policy. */
  csp: headerValue.optional(),
  /** Cache-Control of responses below 400. */
  cache_control: headerValue.optional(),
}

const rowHeadersSchema = z.object(rowHeaderShape)

export type RowHeaders = z.output<typeof rowHeadersSchema>

/** A row whose responses have other headers than those of most rows. */
export type RowWithHeaders = MatchedRoute & RowHeaders & { hasOwnHeaders: boolean }

/** The route of a request is the row that it matched, or a path of the gateway's own. */
export const isRowWithHeaders = (route: MatchedRoute | undefined): route is RowWithHeaders =>
  route !== undefined && 'hasOwnHeaders' in route && route.hasOwnHeaders === true

export const hasRowHeaders = ({ cors, corp, csp, cache_control }: RowHeaders): boolean =>
  (cors ?? corp ?? csp ?? cache_control) !== undefined
