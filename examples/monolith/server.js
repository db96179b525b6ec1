import bcrypt from 'bcryptjs'
import express from 'express'
import { authenticate } from './authenticate.js'
import { createTables, sql } from './database.js'
import { signOwnToken } from './own-tokens.js'

/** A shop: Express, passwords as bcrypt, tokens as HS256, SQL. */

const { MONOLITH_PORT: port = 3000 } = process.env

const app = express()
app.use(express.json())

app.get('/live', (_request, response) => void response.json({ status: 'pass' }))

app.post('/register', async (request, response) => {
  const { email, password } = request.body
  const hash = await bcrypt.hash(password, 10)
  const [user] = await sql`insert into users (email, password_hash) values (${email}, ${hash}) returning id`
  response.status(201).json({ id: user.id })
})

app.post('/login', async (request, response) => {
  const { email, password } = request.body
  const [user] = await sql`select id, password_hash from users where email = ${email}`
  const isRight = user?.password_hash && (await bcrypt.compare(password, user.password_hash))
  if (isRight) response.json({ token: signOwnToken(user.id) })
  else response.status(401).json({ code: 'invalid_credentials' })
})

app.get('/api/orders', authenticate, async (request, response) => {
  const orders = await sql`select item from orders where user_id = ${request.userId} order by id`
  response.json({ orders: orders.map(({ item }) => item) })
})

app.post('/api/orders', authenticate, async (request, response) => {
  if (!request.body?.item) return void response.status(400).json({ code: 'item_missing' })
  await sql`insert into orders (user_id, item) values (${request.userId}, ${request.body.item})`
  response.status(201).json({})
})

await createTables()
const server = app.listen(Number(port), '127.0.0.1')
process.on('SIGTERM', () => server.close(() => sql.end()))
