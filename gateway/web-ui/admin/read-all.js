import { nextLink } from './list.js'

/** @import { Page } from './admin.js' */
/** @import { ListItem, ListKey } from '../../../shared/contract.ts' */

/**
 * All items of a list, for choices: a product has tens of them.
 *
 * @template {ListKey} Key
 * @param {Page['call']} call
 * @param {Key} list
 * @returns {Promise<ListItem<Key>[]>}
 */
export async function readAll(call, list) {
  /** @type {ListItem<Key>[]} */
  const items = []
  /** @type {string | undefined} */
  let url = `${list.slice('GET '.length)}?limit=200`
  while (url !== undefined) {
    const response = await call(url)
    items.push(.../** @type {{ items: ListItem<Key>[] }} */ (await response.json()).items)
    url = nextLink(response.headers.get('link'))
  }
  return items
}
