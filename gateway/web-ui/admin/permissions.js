import { permissionPattern } from './catalogue-parts.js'
import { showDescribedItem, showDescribedItems } from './described-items.js'

/** @import { Page } from './admin.js' */
/** @import { DescribedItems } from './described-items.js' */

/** @type {DescribedItems} */
const permissions = {
  list: 'GET /admin/permissions',
  section: 'permissions',
  title: 'Permissions',
  kind: 'permission',
  pattern: permissionPattern,
  example: 'orders.read',
  note: 'The roles of level 100 get a new permission at once; give it to others on the page of a role.',
  create: (api, body) => api('POST /admin/permissions', { body }),
  change: (api, { name, description }) =>
    api('PATCH /admin/permissions/{name}', { params: { name }, body: { description } }),
  remove: (api, name) => api('DELETE /admin/permissions/{name}', { params: { name } }),
}

/** @param {Page} page */
export const showPermissions = (page) =>
  page.subject ? showDescribedItem(permissions, page) : showDescribedItems(permissions, page)
