import { badge, element, fieldsOf } from '../dom.js'
import {
  checkboxes,
  chosenOf,
  descriptionField,
  field,
  heading,
  namePattern,
  removeButton,
  unknownItem,
  workForm,
} from './catalogue-parts.js'
import { createList } from './list.js'
import { readAll } from './read-all.js'

/** @import { Page } from './admin.js' */
/** @import { RoleResponse } from '../../../shared/contract.ts' */

/** @param {number} [value] */
const levelField = (value = 10) =>
  field('Level, 0 to 100', { name: 'level', type: 'number', min: 0, max: 100, value })

/** All roles, and a form for a new one. @param {Page} page */
export async function showRoles(page) {
  if (page.subject) return showRole(page)
  const { api, call, attempt, say } = page
  const permissions = await readAll(call, 'GET /admin/permissions')
  const place = element('div')

  async function load() {
    const list = await createList({
      call,
      attempt,
      list: 'GET /admin/roles',
      caption: 'Roles by name',
      empty: 'There is no role.',
      columns: [
        {
          title: 'Role',
          cell: ({ name, is_default: isDefault }) =>
            element(
              'span',
              {},
              element('a', { href: `#/roles/${name}` }, name),
              isDefault ? ' ' : null,
              isDefault ? badge('new accounts', 'good') : null,
            ),
        },
        { title: 'Description', cell: ({ description }) => description },
        { title: 'Level', cell: ({ level }) => level, isNumber: true },
        { title: 'Permissions', cell: (role) => role.permissions.length, isNumber: true },
      ],
    })
    place.replaceChildren(list)
  }

  const form = workForm(
    attempt,
    async (made) => {
      const { name = '', level, description = '' } = fieldsOf(made)
      const body = { name, level: Number(level), description, permissions: chosenOf(made, 'permission') }
      await api('POST /admin/roles', { body })
      made.reset()
      await load()
      say(`${name} is created.`)
    },
    element(
      'div',
      { class: 'row' },
      field('Name, such as editor', { name: 'name', pattern: namePattern, spellcheck: 'false' }),
      levelField(),
      descriptionField(),
    ),
    checkboxes('Permissions', 'permission', permissions),
    element('div', {}, element('button', { class: 'primary' }, 'Create role')),
  )
  await load()
  return element('div', { class: 'stack' }, element('h1', {}, 'Roles'), place, heading('New role'), form)
}

/** One role: its level, its permissions, and whether new accounts have it. @param {Page} page */
async function showRole({ api, call, attempt, say, subject }) {
  const [roles, permissions] = await Promise.all([
    readAll(call, 'GET /admin/roles'),
    readAll(call, 'GET /admin/permissions'),
  ])
  const role = roles.find(({ name }) => name === subject)
  if (!role) return unknownItem('role')
  const { name } = role
  const params = { name }
  const view = element('div', { class: 'stack' })

  const terms = workForm(
    attempt,
    async (form) => {
      const { level, description = '' } = fieldsOf(form)
      await api('PATCH /admin/roles/{name}', { params, body: { level: Number(level), description } })
      say(`${name} is saved.`)
    },
    element(
      'div',
      { class: 'row' },
      levelField(role.level),
      descriptionField('Description', role.description),
      element('button', { class: 'primary' }, 'Save'),
    ),
  )
  const choices = workForm(
    attempt,
    async (form) => {
      const chosen = chosenOf(form, 'permission')
      await api('PUT /admin/roles/{name}/permissions', { params, body: { permissions: chosen } })
      say(`${name} has ${chosen.length} permissions now.`)
    },
    checkboxes(
      'Permissions; a change reaches every account at once',
      'permission',
      permissions,
      role.permissions,
    ),
    element('div', {}, element('button', { class: 'primary' }, 'Save permissions')),
  )
  const remove = () => api('DELETE /admin/roles/{name}', { params })
  view.append(
    element('h1', {}, name),
    terms,
    choices,
    element(
      'div',
      { class: 'row' },
      defaultButton(role, attempt, async () => {
        await api('PATCH /admin/roles/{name}', { params, body: { is_default: true } })
        say(`New accounts are ${name} from now on.`)
      }),
      removeButton({ attempt, view, kind: 'role', name, section: 'roles', remove }),
    ),
  )
  return view
}

/**
 * @param {RoleResponse} role
 * @param {Page['attempt']} attempt
 * @param {() => Promise<void>} makeDefault
 */
function defaultButton({ is_default: isDefault }, attempt, makeDefault) {
  if (isDefault) return element('p', { class: 'quiet' }, 'New accounts have this role.')
  const button = element(
    'button',
    {
      type: 'button',
      click: () =>
        attempt(async () => {
          await makeDefault()
          button.replaceWith(element('p', { class: 'quiet' }, 'New accounts have this role.'))
        }),
    },
    'Give this role to new accounts',
  )
  return button
}
