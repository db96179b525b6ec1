/** Parts of the pages of roles, permissions, plans and features. */

import { element } from '../dom.js'
import { ask } from './ask.js'

/** @import { Page } from './admin.js' */

/** Names, as the API takes them. */
export const namePattern = '[a-z][a-z_]{1,39}'
export const permissionPattern = '[a-z_]{2,30}\\.[a-z_]{2,30}'

/**
 * A labelled control of a form.
 *
 * @param {string} label
 * @param {Record<string, string | number | boolean>} attributes of the input
 */
export const field = (label, attributes) =>
  element('label', {}, label, element('input', { required: true, autocomplete: 'off', ...attributes }))

/** @param {string} label @param {string} [value] */
export const descriptionField = (label = 'Description', value = '') =>
  element(
    'label',
    { class: 'wide' },
    label,
    element('input', { name: 'description', required: true, maxlength: 200, autocomplete: 'off', value }),
  )

/**
 * A group of checkboxes, one for each item.
 *
 * @param {string} legend
 * @param {string} name
 * @param {readonly { name: string, description: string }[]} items
 * @param {readonly string[]} chosen
 */
export function checkboxes(legend, name, items, chosen = []) {
  return element(
    'fieldset',
    {},
    element('legend', {}, legend),
    element(
      'div',
      { class: 'choices' },
      ...items.map((item) =>
        element(
          'label',
          { title: item.name },
          element('input', { type: 'checkbox', name, value: item.name, checked: chosen.includes(item.name) }),
          item.description,
        ),
      ),
    ),
  )
}

/** @param {HTMLFormElement} form @param {string} name */
export const chosenOf = (form, name) => new FormData(form).getAll(name).map(String)

/**
 * A form in a card, which does its work when it is submitted and shows a rejection.
 *
 * @param {Page['attempt']} attempt
 * @param {(form: HTMLFormElement) => Promise<void>} work
 * @param {...(Node | null)} content
 */
export function workForm(attempt, work, ...content) {
  const form = element('form', { class: 'card form' }, ...content)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    attempt(() => work(form))
  })
  return form
}

/** @param {string} text */
export const heading = (text) => element('h2', {}, text)

/**
 * A button that asks for confirmation, removes the item, and shows a notice in place of the view.
 *
 * @param {object} options
 * @param {Page['attempt']} options.attempt
 * @param {HTMLElement} options.view
 * @param {string} options.kind such as role
 * @param {string} options.name
 * @param {string} options.section where the others are
 * @param {() => Promise<unknown>} options.remove
 */
export function removeButton({ attempt, view, kind, name, section, remove }) {
  const work = async () => {
    const question = {
      title: `Remove the ${kind} ${name}?`,
      text: 'What is in use is not removed.',
      yes: 'Remove',
    }
    if (!(await ask(question))) return
    await remove()
    const title = element('h1', { tabindex: '-1' }, `${name} is removed`)
    view.replaceChildren(
      title,
      element('p', {}, element('a', { href: `#/${section}` }, `Back to all ${kind}s`)),
    )
    title.focus()
  }
  return element(
    'button',
    { type: 'button', class: 'grave', click: () => attempt(work) },
    `Remove this ${kind}`,
  )
}

/** @param {string} kind */
export const unknownItem = (kind) =>
  element('div', { class: 'stack' }, element('h1', {}, `There is no such ${kind}`))
