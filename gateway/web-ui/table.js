import { element } from './dom.js'

/** @typedef {Node | string | number | null} Cell */

/**
 * A table that reads as cards on a phone: each cell has the title of its column before it. Blocks
 * have no roles of tables, so that each part names its own.
 *
 * @param {string} caption
 * @param {readonly { title: string, isNumber?: boolean | undefined }[]} columns
 */
export function createTable(caption, columns) {
  const body = element('tbody', { role: 'rowgroup' })
  const classOf = (/** @type {boolean | undefined} */ isNumber) => (isNumber ? 'number' : undefined)
  const heads = columns.map(({ title, isNumber }) =>
    element('th', { scope: 'col', role: 'columnheader', class: classOf(isNumber) }, title),
  )
  const table = element(
    'table',
    { role: 'table' },
    element('caption', {}, caption),
    element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, ...heads)),
    body,
  )

  /** @param {readonly Cell[]} cells */
  const rowOf = (cells) =>
    element(
      'tr',
      { role: 'row' },
      ...columns.map(({ title, isNumber }, index) =>
        element('td', { role: 'cell', 'data-label': title, class: classOf(isNumber) }, cells[index]),
      ),
    )

  return {
    table,
    /** @param {readonly (readonly Cell[])[]} rows a cell for each column */
    show: (rows) => body.replaceChildren(...rows.map(rowOf)),
  }
}
