import type postgres from 'postgres'

/**
 * Arrays that statements of the origin send or receive, one-dimensional. The driver would read all
 * types of the database on its first connection, in a statement that nobody awaits: where a pooler
 * rejects it or its server is lost then, the process ends (postgres.js 3.4.9).
 *
 * The numbers are the OIDs of the array types, the same in each PostgreSQL (pg_type.dat).
 */
export const arrayTypes = {
  boolArray: arrayOf(1000, (text) => text === 't'),
  int2Array: arrayOf(1005, Number),
  int4Array: arrayOf(1007, Number),
  textArray: arrayOf(1009, String),
  int8Array: arrayOf(1016, String),
  timestamptzArray: arrayOf(1185, (text) => new Date(text)),
  uuidArray: arrayOf(2951, String),
}

type Element = string | number | boolean | Date | null

function arrayOf<T extends Element>(oid: number, parseElement: (text: string) => T): postgres.PostgresType {
  return {
    to: oid,
    from: [oid],
    serialize: (elements: Element[]) => `{${elements.map(formatElement).join(',')}}`,
    parse: (text: string) =>
      parseArray(text).map((element) => (element === null ? null : parseElement(element))),
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
