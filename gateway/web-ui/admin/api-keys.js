import { element, moment } from '../dom.js'
import { createTable } from '../table.js'

/** @import { Api } from './api.js' */
/** @import { ApiKeyItem } from '../../../shared/contract.ts' */

/**
 * The live API keys of an account, with a button to revoke each.
 *
 * @param {object} options
 * @param {Api} options.api
 * @param {{ id: string }} options.params of the account
 * @param {(change: Change) => unknown} options.change asks, makes the change, reloads the account
 *
 * @typedef {object} Change
 * @property {{ title: string, text: string, yes: string }} question
 * @property {() => Promise<unknown>} run
 * @property {string} done
 */
export async function createApiKeyTable({ api, params, change }) {
  const { api_keys: keys } = await api('GET /admin/users/{id}/api-keys', { params })
  if (keys.length === 0) return element('p', { class: 'card empty' }, 'No API keys.')

  /** @param {ApiKeyItem} key */
  const revoke = ({ id, name }) => ({
    question: {
      title: `Revoke the key ${name}?`,
      text: 'Programs that use it are refused within seconds. It cannot be restored.',
      yes: 'Revoke',
    },
    run: () => api('DELETE /admin/users/{id}/api-keys/{key_id}', { params: { ...params, key_id: id } }),
    done: 'The key is revoked.',
  })

  /** @param {ApiKeyItem} key */
  const button = (key) =>
    element(
      'button',
      {
        type: 'button',
        class: 'small',
        'aria-label': `Revoke the key ${key.name}`,
        click: () => change(revoke(key)),
      },
      'Revoke',
    )

  /** @param {ApiKeyItem} key */
  const row = (key) => {
    const { name, hint, permissions, networks, created_at, expires_at, last_used_at } = key
    const used = last_used_at === null ? 'never' : moment(last_used_at)
    return [
      name,
      element('code', {}, `${hint}…`),
      permissions.join(', ') || '–',
      networks.join(', ') || 'all',
      moment(created_at),
      moment(expires_at),
      used,
      button(key),
    ]
  }

  const titles = ['Name', 'Begins with', 'Permissions', 'Networks', 'Since', 'Expires', 'Last used', '']
  const { table, show } = createTable(
    'Live API keys, the newest first',
    titles.map((title) => ({ title })),
  )
  show(keys.map(row))
  return element('div', { class: 'card' }, element('div', { class: 'table' }, table))
}
