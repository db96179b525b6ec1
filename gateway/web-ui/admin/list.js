/**
 * Paginated lists: a form of filters, a table, and the next page from the Link header
 * (RFC 8288).
 */

import { element, fieldsOf } from '../dom.js'
import { createTable } from '../table.js'
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
  const place = element('span')
  const back = element(
    'button',
    { type: 'button', class: 'small', click: () => attempt(turnBack) },
    'Previous',
  )
  const on = element('button', { type: 'button', class: 'small', click: () => attempt(turnOn) }, 'Next')
  const nothing = element('p', { class: 'empty' }, empty)
  const pager = element('div', { class: 'pager' }, place, back, on)
  const { table, show } = createTable(caption, columns)

  /** URLs of the pages up to the current one. */
  const pages = [url]
  /** @type {string | undefined} */
  let next

  /** @param {string} pageUrl */
  async function load(pageUrl) {
    const response = await call(pageUrl)
    const { items } = /** @type {{ items: ListItem<Key>[] }} */ (await response.json())
    next = nextLink(response.headers.get('link'))
    show(items.map((item) => columns.map(({ cell }) => cell(item))))
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
    const value = filters.get(named.name) ?? ''
    named.value = named.type === localTime ? toLocalTime(value) : value
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const fields = fieldsOf(form)
    for (const { name } of form.querySelectorAll(/** @type {'input'} */ (`input[type=${localTime}]`)))
      if (fields[name] !== undefined) fields[name] = new Date(fields[name]).toISOString()
    const query = new URLSearchParams(fields).toString()
    location.hash = query ? `#/${section}?${query}` : `#/${section}`
  })
  return form
}

const localTime = 'datetime-local'

/** A time of a filter as its control has it: in the reader's time zone. @param {string} text */
function toLocalTime(text) {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) return ''
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

/** Filters of a period: its begin is included, its end is not. */
export const period = () =>
  [
    ['Since', 'from'],
    ['Until', 'to'],
  ].map(([label = '', name = '']) => element('label', {}, label, element('input', { name, type: localTime })))

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
