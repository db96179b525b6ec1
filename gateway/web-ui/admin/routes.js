import { element } from '../dom.js'
import { createTable } from '../table.js'

/**
 * An operation of the API description, as far as its row is shown.
 *
 * @typedef {object} Operation
 * @property {string} [x-who] of a row; the gateway's own paths have none
 * @property {{ all?: string[], any?: string[] }} [x-permissions]
 * @property {string[]} [x-features]
 * @property {number} [x-level]
 * @property {string[]} [x-limits]
 * @property {number} [x-deadline-seconds]
 * @property {number} [x-body-bytes]
 */

const bytes = new Intl.NumberFormat()

const titles = ['Method', 'Path', 'Callers', 'Needs', 'Limits', 'Deadline', 'Body']

/** The policy table in force, from the API description of this gateway. */
export async function showRoutes() {
  const response = await fetch('/openapi.json')
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Routes'),
    response.ok
      ? tableOf((await response.json()).paths)
      : element('p', {}, 'This gateway does not serve its API description: GATEWAY_PAGES lacks docs.'),
  )
}

/** @param {Record<string, Record<string, Operation>>} paths */
function tableOf(paths) {
  const rows = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(([, operation]) => operation['x-who'] !== undefined)
      .map(([method, operation]) => rowOf(method.toUpperCase(), path, operation)),
  )
  const { table, show } = createTable(
    `${rows.length} routes of the policy table`,
    titles.map((title) => ({ title })),
  )
  show(rows)
  return element('div', { class: 'card' }, element('div', { class: 'table' }, table))
}

/** @param {string} method @param {string} path @param {Operation} operation */
function rowOf(method, path, operation) {
  return [
    method,
    element('code', {}, path),
    operation['x-who'] ?? '',
    needsOf(operation),
    (operation['x-limits'] ?? []).join(', '),
    `${operation['x-deadline-seconds']} s`,
    `${bytes.format(operation['x-body-bytes'] ?? 0)} bytes`,
  ]
}

/** @param {Operation} operation */
function needsOf(operation) {
  const { all, any } = operation['x-permissions'] ?? {}
  const features = operation['x-features']
  const level = operation['x-level']
  return [
    all && `all of ${all.join(', ')}`,
    any && `one of ${any.join(', ')}`,
    features && `features ${features.join(', ')}`,
    level !== undefined && `level ${level}`,
  ]
    .filter(Boolean)
    .join('; ')
}
