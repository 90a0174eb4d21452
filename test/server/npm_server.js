// SPDX-License-Identifier: MIT
// Servers made of npm's smtp-server, as described by a JSON object; see
// Programmed in others.py. Arguments: node_modules, the description.
'use strict';
const fs = require('fs');
const path = require('path');

// It waits a tenth of a second for clients that talk before its greeting, which
// for hundreds of connections is longer than all else. A hundredth will do.
const later = global.setTimeout;
global.setTimeout = (callback, ms, ...more) =>
  later(callback, ms === 100 ? 10 : ms, ...more);

const { SMTPServer } = require(path.join(process.argv[2], 'smtp-server'));
const description = JSON.parse(process.argv[3]);
let number = 0;

function localPart(address) {
  return address.split('@')[0].split('+')[0];
}

// What a table says about an address, as the error that smtp-server wants.
function wordOf(table, address) {
  const found = table[localPart(address)];
  if (!found) return null;
  return Object.assign(new Error(found[1]), { responseCode: found[0] });
}

function onAuth(auth, session, callback) {
  const password = description.passwords[auth.username];
  if (auth.method === 'XOAUTH2') {
    const good = description.tokens[auth.accessToken] === auth.username;
    callback(null, good ? { user: auth.username } :
      { data: { status: '401', schemes: 'bearer', scope: 'mail' } });
    return;
  }
  const good = password !== undefined && (auth.method === 'CRAM-MD5' ?
    auth.validatePassword(password) : auth.password === password);
  callback(null, good ? { user: auth.username } : {});
}

// What was said of the message, for the top of what is stored.
function seen(session) {
  const { mailFrom, rcptTo, dsn, bodyType, smtpUtf8, requireTLS } =
    session.envelope;
  return JSON.stringify({
    from: mailFrom.address, bodyType, smtpUtf8, requireTLS, dsn,
    rcpts: rcptTo.map((rcpt) => [rcpt.address, rcpt.dsn]),
    client: session.clientHostname, remote: session.remoteAddress,
    forwarded: Object.fromEntries(session.xForward),
  });
}

function store(sender, address, content, tls, session) {
  const { user } = session;
  const box = path.join(description.mail, address.split('@')[0], 'Maildir');
  const name = String(++number).padStart(6, '0');
  fs.mkdirSync(path.join(box, 'new'), { recursive: true });
  fs.writeFileSync(path.join(box, name), Buffer.concat(
    [Buffer.from(`Return-Path: <${sender}>\r\n`),
      Buffer.from(tls ? `Received: by ${tls.version}\r\n` : ''),
      Buffer.from(user ? `Received: from ${user}\r\n` : ''),
      Buffer.from(`X-Seen: ${seen(session)}\r\n`),
      ...content]));
  fs.renameSync(path.join(box, name), path.join(box, 'new', name));
}

function onMailFrom(address, session, callback) {
  callback(wordOf(description.senders, address.address || ''));
}

function onRcptTo(address, session, callback) {
  callback(wordOf(description.rcpts, address.address));
}

function finish(stream, session, lmtp, content, callback) {
  if (stream.sizeExceeded) {
    callback(Object.assign(new Error('5.3.4 Too large'),
      { responseCode: 552 }));
    return;
  }
  const to = session.envelope.rcptTo.map((r) => r.address);
  const verdicts = to.map((address) => wordOf(description.ends, address));
  const refused = verdicts.find((verdict) => verdict);
  if (refused && !lmtp) {
    callback(refused);
    return;
  }
  const from = session.envelope.mailFrom.address || '';
  to.forEach((address, i) => {
    if (!verdicts[i])
      store(from, address, content, session.tlsOptions, session);
  });
  callback(null, lmtp ?
    to.map((address, i) => verdicts[i] || `2.1.5 <${address}> stored`) :
    '2.0.0 stored');
}

const tls = {
  key: fs.readFileSync(description.key),
  cert: fs.readFileSync(description.chain),
};
const login = {
  authOptional: false, disabledCommands: [],
  authMethods: ['PLAIN', 'LOGIN', 'CRAM-MD5', 'XOAUTH2'],
};
const special = {
  legacy: { disabledCommands: ['AUTH', 'STARTTLS', 'EHLO'] },
  small: {
    size: description.small, hideSMTPUTF8: true, useXClient: true,
    useXForward: true,
  },
  lmtp: { lmtp: true },
  lmtp_path: { lmtp: true },
  starttls: { ...tls, disabledCommands: ['AUTH'] },
  smtps: { ...tls, secure: true },
  lmtp_starttls: { ...tls, lmtp: true, disabledCommands: ['AUTH'] },
  lmtps: { ...tls, lmtp: true, secure: true },
  submission: { ...tls, ...login },
  submissions: { ...tls, ...login, secure: true },
  lmtp_login: { ...tls, ...login, lmtp: true },
  lmtp_login_path: { ...login, lmtp: true, disabledCommands: ['STARTTLS'] },
  bare: {
    hidePIPELINING: true, hide8BITMIME: true, hideSMTPUTF8: true,
    hideSize: true, hideENHANCEDSTATUSCODES: true, hideDSN: true,
  },
};

function serve(name, where) {
  const options = {
    name: 'mx.example.test', size: description.size, logger: false,
    authOptional: true, disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true, maxRecipients: description.most,
    hideDSN: false, hideREQUIRETLS: false,
    onAuth, onMailFrom, onRcptTo,
    onData(stream, session, callback) {
      const content = [];
      stream.on('data', (chunk) => content.push(chunk));
      stream.on('end', () => finish(
        stream, session, Boolean(options.lmtp), content, callback));
    },
    ...special[name],
  };
  const server = new SMTPServer(options);
  // A client that leaves is none of our trouble; a port that is taken is.
  server.on('error', (error) => {
    console.error(name, error.message);
    if (error.syscall === 'listen') process.exit(1);
  });
  if (typeof where === 'number') server.listen(where, '127.0.0.1');
  else server.listen(where);
}

for (const places of [description.ports, description.paths])
  for (const [name, where] of Object.entries(places)) serve(name, where);
