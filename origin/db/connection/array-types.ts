import type postgres from 'postgres'

/**
 * Array types with the OIDs that they have in each PostgreSQL (pg_type.dat), one-dimensional. The
 * driver would read those of the database on its first connection, in a statement that nobody
 * awaits: where a pooler rejects it or its server is lost then, the process ends (postgres.js
 * 3.4.9).
 *
 * Elements are received as the driver receives a single value of their type: bigint and numeric as
 * text.
 */
const oids = {
  text: {
    bpchar: 1014,
    inet: 1041,
    int8: 1016,
    interval: 1187,
    name: 1003,
    numeric: 1231,
    text: 1009,
    uuid: 2951,
    varchar: 1015,
  },
  number: { float4: 1021, float8: 1022, int2: 1005, int4: 1007, oid: 1028 },
  boolean: { bool: 1000 },
  date: { date: 1182, timestamp: 1115, timestamptz: 1185 },
}

const parseElement = {
  text: String,
  number: Number,
  boolean: (text: string) => text === 't',
  date: (text: string) => new Date(text),
}

/** For the option `types` of the driver. */
export const arrayTypes: Record<string, postgres.PostgresType> = Object.fromEntries(
  Object.entries(oids).flatMap(([kind, types]) =>
    Object.entries(types).map(([name, oid]) => [
      `${name}Array`,
      arrayOf(oid, parseElement[kind as keyof typeof oids]),
    ]),
  ),
)

type Element = string | number | boolean | Date | null

function arrayOf(oid: number, parse: (text: string) => Element): postgres.PostgresType {
  return {
    to: oid,
    from: [oid],
    serialize: (elements: Element[]) => `{${elements.map(formatElement).join(',')}}`,
    parse: (text: string) => parseArray(text).map((element) => (element === null ? null : parse(element))),
  }
}

const formatElement = (element: Element) =>
  element === null
    ? 'NULL'
    : `"${(element instanceof Date ? element.toISOString() : String(element)).replace(/["\\]/g, '\\$&')}"`

/** An element in quotes, in which a backslash escapes, or one without: `NULL` there is null. */
const elementPattern = /"((?:[^"\\]|\\.)*)"|([^",{}]+)/gsu

/** @param text as PostgreSQL writes it: `{a,"b \"c\"",NULL}` */
function parseArray(text: string): (string | null)[] {
  return Array.from(text.matchAll(elementPattern), ([, quoted, plain]) => {
    if (quoted !== undefined) return quoted.replace(/\\(.)/gsu, '$1')
    return plain === undefined || plain === 'NULL' ? null : plain
  })
}
