/** Pages of items with a name and a description: permissions and features. */

import { element, fieldsOf } from '../dom.js'
import { descriptionField, field, heading, removeButton, unknownItem, workForm } from './catalogue-parts.js'
import { createList } from './list.js'
import { readAll } from './read-all.js'

/** @import { Page } from './admin.js' */

/** @typedef {{ name: string, description: string }} DescribedItem */

/**
 * @typedef {object} DescribedItems
 * @property {'GET /admin/permissions' | 'GET /admin/features'} list
 * @property {string} section
 * @property {string} title
 * @property {string} kind such as permission
 * @property {string} pattern of names
 * @property {string} example of a name
 * @property {string} note what creating one means
 * @property {(api: Page['api'], body: DescribedItem) => Promise<unknown>} create
 * @property {(api: Page['api'], body: DescribedItem) => Promise<unknown>} change
 * @property {(api: Page['api'], name: string) => Promise<unknown>} remove
 */

/**
 * All of them, and a form for a new one.
 *
 * @param {DescribedItems} items
 * @param {Page} page
 */
export async function showDescribedItems(items, { api, call, attempt, say }) {
  const { section, title, kind } = items
  const place = element('div')

  async function load() {
    const list = await createList({
      call,
      attempt,
      list: items.list,
      caption: `${title} by name`,
      empty: `There is no ${kind}.`,
      columns: [
        { title: 'Name', cell: ({ name }) => element('a', { href: `#/${section}/${name}` }, name) },
        { title: 'Description', cell: ({ description }) => description },
      ],
    })
    place.replaceChildren(list)
  }

  const form = workForm(
    attempt,
    async (made) => {
      const { name = '', description = '' } = fieldsOf(made)
      await items.create(api, { name, description })
      made.reset()
      await load()
      say(`${name} is created.`)
    },
    element('p', { class: 'quiet' }, items.note),
    element(
      'div',
      { class: 'row' },
      field(`Name, such as ${items.example}`, { name: 'name', pattern: items.pattern, spellcheck: 'false' }),
      descriptionField(),
      element('button', { class: 'primary' }, `Create ${kind}`),
    ),
  )
  await load()
  return element('div', { class: 'stack' }, element('h1', {}, title), place, heading(`New ${kind}`), form)
}

/**
 * One of them.
 *
 * @param {DescribedItems} items
 * @param {Page} page
 */
export async function showDescribedItem(items, { api, call, attempt, say, subject: name }) {
  const { section, kind } = items
  const item = (await readAll(call, items.list)).find((each) => each.name === name)
  if (!item) return unknownItem(kind)
  const view = element('div', { class: 'stack' })
  const form = workForm(
    attempt,
    async (changed) => {
      const { description = '' } = fieldsOf(changed)
      await items.change(api, { name, description })
      say(`${name} is saved.`)
    },
    element(
      'div',
      { class: 'row' },
      descriptionField('Description', item.description),
      element('button', { class: 'primary' }, 'Save'),
    ),
  )
  const remove = () => items.remove(api, name)
  view.append(
    element('h1', {}, name),
    form,
    element('div', {}, removeButton({ attempt, view, kind, name, section, remove })),
  )
  return view
}
