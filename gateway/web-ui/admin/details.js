import { element, moment } from '../dom.js'

/**
 * Details of an audit row in words: a line for each member, a change as `before → after`, and what
 * lists gained and lost.
 */

/** @typedef {Record<string, unknown>} Members */

/**
 * @param {Members} details
 * @returns {HTMLElement | ''}
 */
export function detailsOf(details) {
  const lines = linesOf(details)
  if (lines.length === 0) return ''
  return element(
    'dl',
    { class: 'details' },
    ...lines.map(({ name, value }) =>
      element('div', {}, element('dt', {}, name), element('dd', {}, ...value)),
    ),
  )
}

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {(Node | string)[]} value
 */

/** @param {Members} details @returns {Line[]} */
function linesOf({ before, after, ...rest }) {
  const others = Object.entries(rest).map(([name, value]) => ({ name: inWords(name), value: shown(value) }))
  if (before === undefined && after === undefined) return others
  return [...changesOf(before, after), ...others]
}

/** @param {unknown} before @param {unknown} after @returns {Line[]} */
function changesOf(before, after) {
  if (!isMembers(before) || !isMembers(after)) return [{ name: 'changed', value: change(before, after) }]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name) => ({ name: inWords(name), value: change(before[name], after[name]) }))
}

/** @param {unknown} before @param {unknown} after @returns {(Node | string)[]} */
function change(before, after) {
  if (!Array.isArray(before) || !Array.isArray(after)) return [...shown(before), ' → ', ...shown(after)]
  const signed = [
    ...after.filter((item) => !before.includes(item)).map((item) => `+ ${item}`),
    ...before.filter((item) => !after.includes(item)).map((item) => `− ${item}`),
  ]
  return [signed.join(', ') || 'order only']
}

const isoTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)$/

/** @param {unknown} value @returns {(Node | string)[]} */
function shown(value) {
  if (value === null || value === undefined || value === '') return ['–']
  if (typeof value === 'boolean') return [value ? 'yes' : 'no']
  if (typeof value === 'string' && isoTime.test(value)) return [moment(value)]
  if (Array.isArray(value)) return value.length === 0 ? ['none'] : separated(value.map(shown))
  if (isMembers(value))
    return separated(linesOf(value).map(({ name, value: inner }) => [`${name}: `, ...inner]))
  return [String(value)]
}

/** @param {(Node | string)[][]} parts @returns {(Node | string)[]} */
const separated = (parts) => parts.flatMap((part, index) => (index === 0 ? part : [', ', ...part]))

/** @param {unknown} value @returns {value is Members} */
const isMembers = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)

/** @param {string} name */
const inWords = (name) => name.replaceAll('_', ' ')
