/**
 * Creates an element. Text is never parsed as markup, so user data cannot inject any.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean | undefined | ((event: Event) => void)>}
 * attributes functions are listeners, by the event's name; false and undefined leave an attribute
 * out
 * @param {...(Node | string | number | null | undefined)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value)
    else if (value === true) made.setAttribute(name, '')
    else if (value !== undefined && value !== false) made.setAttribute(name, String(value))
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map(toNode))
  return made
}

/** @param {Node | string | number} child */
const toNode = (child) => (child instanceof Node ? child : String(child))

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found
}

/**
 * The values of a form, without empty ones.
 *
 * @param {HTMLFormElement} form
 * @returns {Record<string, string>}
 */
export function fieldsOf(form) {
  /** @type {Record<string, string>} */
  const fields = {}
  for (const [name, value] of new FormData(form)) {
    if (typeof value === 'string' && value.trim() !== '') fields[name] = value.trim()
  }
  return fields
}

const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/**
 * A time in the reader's time zone; the tooltip has the exact time.
 *
 * @param {string | null} text RFC 3339
 */
export function moment(text) {
  if (text === null) return element('span', { class: 'quiet' }, '–')
  return element('time', { datetime: text, title: text }, short.format(new Date(text)))
}

/**
 * @param {string} text
 * @param {'good' | 'warn' | 'bad' | ''} mood
 */
export const badge = (text, mood = '') => element('span', { class: `badge ${mood}`.trim() }, text)
