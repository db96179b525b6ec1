import { badge, element, fieldsOf, moment } from '../dom.js'
import { ask } from './ask.js'
import { choice, createList } from './list.js'

/** @import { Page } from './admin.js' */
/** @import { ClientResponse, ClientSecretResponse, Scope } from '../../../shared/contract.ts' */

/**
 * Browsers cannot import the contract; its type keeps the names equal.
 *
 * @type {Record<Scope, string>}
 */
const scopes = {
  'entitlements.read': 'Read what accounts may do and have booked',
  'users.read': 'Read accounts',
  'users.import': 'Import accounts with their password hashes',
  'users.metadata': 'Read the metadata of accounts, and set that of the product',
  'users.sign_in': 'Sign users in on their behalf, and say their address',
  'subscriptions.write': 'Change subscriptions',
  'tokens.introspect': 'Ask whether a token is live',
}

/** Clients of services, and the form for a new one. @param {Page} page */
export async function showClients({ api, call, attempt, left }) {
  const view = element('div', { class: 'stack' })

  /** @param {HTMLElement} [issued] */
  async function load(issued) {
    const list = await createList({
      call,
      attempt,
      list: 'GET /admin/clients',
      caption: 'Clients of services, by name',
      empty: 'No service signs in here.',
      columns: [
        { title: 'Client', cell: ({ id }) => element('a', { href: `#/clients/${id}` }, id) },
        { title: 'Status', cell: statusOf },
        { title: 'Scopes', cell: (client) => client.scopes.join(', ') },
        { title: 'Last used', cell: ({ last_used_at: at }) => moment(at) },
        { title: 'Secret since', cell: ({ secret_changed_at: at }) => moment(at) },
      ],
    })
    if (left.aborted) return
    view.replaceChildren(element('h1', {}, 'Clients'), ...(issued ? [issued] : []), list, form)
  }

  const form = element(
    'form',
    { class: 'card form', 'aria-label': 'New client' },
    element('h2', {}, 'New client'),
    element(
      'label',
      {},
      'Name, of a-z, 0-9 and -',
      element('input', {
        name: 'id',
        required: true,
        maxlength: 63,
        autocomplete: 'off',
        spellcheck: 'false',
      }),
    ),
    scopeChoices([]),
    element('div', {}, element('button', { class: 'primary' }, 'Create')),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const { id = '' } = fieldsOf(form)
    attempt(async () => {
      const issued = await api('POST /admin/clients', { body: { id, scopes: chosenScopes(form) } })
      form.reset()
      await load(secretCard(issued))
    })
  })

  await load()
  return view
}

/** One client: its facts, scopes and secret. @param {Page} page */
export async function showClient({ api, attempt, say, subject, left }) {
  const params = { id: subject }
  const view = element('div', { class: 'stack' })

  /** @param {{ done?: string, issued?: HTMLElement }} [shown] */
  async function load({ done = '', issued } = {}) {
    const client = await api('GET /admin/clients/{id}', { params })
    if (left.aborted) return
    view.replaceChildren(
      element('h1', {}, client.id),
      ...(issued ? [issued] : []),
      element('section', { class: 'card', 'aria-label': 'Client' }, facts(client), actions(client)),
      scopesForm(client),
    )
    if (done) say(done)
  }

  /**
   * Asks for confirmation, makes the change, and reloads the client.
   *
   * @param {Omit<Parameters<typeof ask>[0], 'withReason'>} question
   * @param {() => Promise<unknown>} run
   * @param {string} done
   */
  const confirmed = (question, run, done) =>
    attempt(async () => {
      if (!(await ask(question))) return
      await run()
      await load({ done })
    })

  /** @param {ClientResponse} client */
  function rotateForm({ id }) {
    const form = element(
      'form',
      { class: 'row' },
      choice('The old secret works', 'overlap', [
        ['86400', 'one day more'],
        ['3600', 'one hour more'],
        ['604800', 'seven days more'],
        ['0', 'no more (it leaked)'],
      ]),
      element('button', {}, 'New secret'),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      const { overlap } = fieldsOf(form)
      attempt(async () => {
        const question = {
          title: `Give ${id} a new secret?`,
          text: 'The new secret is shown once. A secret before the old one is void at once.',
          yes: 'New secret',
        }
        if (!(await ask(question))) return
        const body = { overlap_seconds: Number(overlap) }
        const issued = await api('POST /admin/clients/{id}/secret', { params, body })
        await load({ issued: secretCard(issued) })
      })
    })
    return form
  }

  /** @param {ClientResponse} client */
  function actions(client) {
    const { id, status, previous_secret_ends_at: ends } = client
    /** @param {string} label @param {() => void} click */
    const button = (label, click) => element('button', { type: 'button', class: 'grave', click }, label)
    return element(
      'div',
      { class: 'actions row between' },
      status === 'active' ? rotateForm(client) : element('span'),
      element(
        'div',
        { class: 'row' },
        ends === null
          ? null
          : button('Void the old secret', () =>
              confirmed(
                {
                  title: `Void the old secret of ${id}?`,
                  text: 'Instances that still use it get no token.',
                  yes: 'Void',
                },
                () => api('DELETE /admin/clients/{id}/secret/previous', { params }),
                'The old secret is void.',
              ),
            ),
        status === 'active'
          ? button('Disable', () =>
              confirmed(
                {
                  title: `Disable ${id}?`,
                  text: 'It gets no more tokens. Its last ones expire within minutes.',
                  yes: 'Disable',
                },
                () => api('POST /admin/clients/{id}/disable', { params }),
                `${id} is disabled.`,
              ),
            )
          : null,
        button('Delete', () =>
          attempt(async () => {
            const question = {
              title: `Delete ${id}?`,
              text: 'It gets no more tokens, and its name can be given to another service.',
              yes: 'Delete',
            }
            if (!(await ask(question))) return
            await api('DELETE /admin/clients/{id}', { params })
            location.hash = '#/clients'
          }),
        ),
      ),
    )
  }

  /** @param {ClientResponse} client */
  function scopesForm({ id, scopes: granted }) {
    const form = element(
      'form',
      { class: 'card form', 'aria-label': 'Scopes' },
      scopeChoices(granted),
      element('div', {}, element('button', { class: 'primary' }, 'Save scopes')),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      attempt(async () => {
        const body = { scopes: chosenScopes(form) }
        await api('PUT /admin/clients/{id}/scopes', { params, body })
        await load({ done: `The scopes of ${id} are saved. Tokens that it has keep theirs for minutes.` })
      })
    })
    return form
  }

  await load()
  return view
}

/** @param {readonly string[]} granted */
function scopeChoices(granted) {
  return element(
    'fieldset',
    {},
    element('legend', {}, 'Scopes'),
    element(
      'div',
      { class: 'choices' },
      ...Object.entries(scopes).map(([name, meaning]) =>
        element(
          'label',
          { title: name },
          element('input', {
            type: 'checkbox',
            name: 'scope',
            value: name,
            checked: granted.includes(name),
          }),
          meaning,
        ),
      ),
    ),
  )
}

/** @param {HTMLFormElement} form */
const chosenScopes = (form) => /** @type {Scope[]} */ (new FormData(form).getAll('scope'))

/** A secret that is shown once. @param {ClientSecretResponse} issued */
function secretCard({ client_id: id, client_secret: secret, previous_secret_ends_at: ends }) {
  return element(
    'section',
    { class: 'card secret', 'aria-label': 'Secret' },
    element('h2', {}, `The secret of ${id}`),
    element('p', {}, 'Keep it now: it is not stored, and not shown again.'),
    element('code', { id: 'client-secret' }, secret),
    element(
      'p',
      { class: 'quiet' },
      ...(ends === null ? ['No other secret works.'] : ['The old secret works until ', moment(ends), '.']),
    ),
  )
}

/** @param {Pick<ClientResponse, 'status'>} client */
const statusOf = ({ status }) => (status === 'active' ? badge('Active', 'good') : badge('Disabled', 'bad'))

/** @param {ClientResponse} client */
function facts(client) {
  /** @type {[string, Node | string][]} */
  const pairs = [
    ['Status', statusOf(client)],
    ['Made', moment(client.created_at)],
    ['Last used', moment(client.last_used_at)],
    ['Secret since', moment(client.secret_changed_at)],
  ]
  if (client.previous_secret_ends_at !== null)
    pairs.push(
      ['Old secret until', moment(client.previous_secret_ends_at)],
      ['Old secret last used', moment(client.previous_secret_used_at)],
    )
  return element(
    'dl',
    { class: 'facts' },
    ...pairs.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  )
}
