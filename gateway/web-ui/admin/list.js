/**
 * Paginated lists: a form of filters, a table, and the next page from the Link header
 * (RFC 8288).
 */

import { element, fieldsOf } from '../dom.js'
import { urlOf } from './api.js'

/** @import { Page } from './admin.js' */
/** @import { ListItem, ListKey } from '../../../shared/contract.ts' */

/**
 * @template Item
 * @typedef {object} Column
 * @property {string} title
 * @property {(item: Item) => Node | string | number | null} cell
 * @property {boolean} [isNumber]
 */

/**
 * @template {ListKey} Key
 * @param {object} options
 * @param {Page['call']} options.call
 * @param {Page['attempt']} options.attempt
 * @param {Key} options.list
 * @param {Record<string, string>} [options.params] of its path
 * @param {URLSearchParams} [options.filters]
 * @param {string} options.caption
 * @param {readonly Column<ListItem<Key>>[]} options.columns
 * @param {string} options.empty text of an empty list
 * @returns {Promise<HTMLElement>} the list with its first page
 */
export async function createList({ call, attempt, list, params, filters, caption, columns, empty }) {
  const url = urlOf(list.slice('GET '.length), params, filters)
  const body = element('tbody')
  const place = element('span')
  const back = element(
    'button',
    { type: 'button', class: 'small', click: () => attempt(turnBack) },
    'Previous',
  )
  const on = element('button', { type: 'button', class: 'small', click: () => attempt(turnOn) }, 'Next')
  const nothing = element('p', { class: 'empty' }, empty)
  const pager = element('div', { class: 'pager' }, place, back, on)
  const heads = columns.map(({ title, isNumber }) =>
    element('th', { scope: 'col', class: isNumber ? 'number' : undefined }, title),
  )
  const table = element(
    'table',
    {},
    element('caption', {}, caption),
    element('thead', {}, element('tr', {}, ...heads)),
    body,
  )

  /** URLs of the pages up to the current one. */
  const pages = [url]
  /** @type {string | undefined} */
  let next

  /** @param {string} pageUrl */
  async function load(pageUrl) {
    const response = await call(pageUrl)
    const { items } = /** @type {{ items: ListItem<Key>[] }} */ (await response.json())
    next = nextLink(response.headers.get('link'))
    body.replaceChildren(...items.map(row))
    table.hidden = items.length === 0
    nothing.hidden = items.length > 0
  }

  function tellPlace() {
    pager.hidden = pages.length === 1 && next === undefined
    place.textContent = `Page ${pages.length}`
    back.disabled = pages.length === 1
    on.disabled = next === undefined
  }

  async function turnOn() {
    if (next === undefined) return
    const turned = next
    await load(turned)
    pages.push(turned)
    tellPlace()
  }

  async function turnBack() {
    const turned = pages.at(-2)
    if (turned === undefined) return
    await load(turned)
    pages.pop()
    tellPlace()
  }

  /** @param {ListItem<Key>} item */
  const row = (item) =>
    element(
      'tr',
      {},
      ...columns.map(({ cell, isNumber }) =>
        element('td', { class: isNumber ? 'number' : undefined }, cell(item)),
      ),
    )

  await load(url)
  tellPlace()
  return element('div', { class: 'card' }, element('div', { class: 'table' }, table, nothing), pager)
}

/** @param {string | null} field */
export function nextLink(field) {
  return field?.match(/<([^>]+)>;\s*rel="next"/)?.[1]
}

/**
 * A form that writes its filters to the URL, so that a filtered list can be bookmarked, shared and
 * revisited.
 *
 * @param {string} section
 * @param {URLSearchParams} filters
 * @param {...HTMLElement} fields labels with a named control
 */
export function createFilters(section, filters, ...fields) {
  const form = element(
    'form',
    { class: 'row', role: 'search' },
    ...fields,
    element('button', { class: 'primary' }, 'Show'),
  )
  for (const control of form.querySelectorAll('input, select')) {
    const named = /** @type {HTMLInputElement | HTMLSelectElement} */ (control)
    named.value = filters.get(named.name) ?? ''
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const query = new URLSearchParams(fieldsOf(form)).toString()
    location.hash = query ? `#/${section}?${query}` : `#/${section}`
  })
  return form
}

/**
 * @param {string} label
 * @param {string} name
 * @param {readonly (readonly [value: string, text: string])[]} options
 */
export function choice(label, name, options) {
  return element(
    'label',
    {},
    label,
    element('select', { name }, ...options.map(([value, text]) => element('option', { value }, text))),
  )
}

/**
 * @param {string} label
 * @param {string} name
 * @param {string} [type]
 */
export function text(label, name, type = 'text') {
  return element(
    'label',
    { class: 'wide' },
    label,
    element('input', { name, type, autocomplete: 'off', spellcheck: 'false' }),
  )
}
