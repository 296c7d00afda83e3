// Carries out the jobs that its standard input describes, in one session of
// basic-ftp, which NODE_PATH leads to.
"use strict"
const fs = require("fs")
const ftp = require("basic-ftp")

async function access(client, what) {
    const version = "TLSv" + what.tls
    await client.access({
        host: what.host, port: Number(what.port), user: what.user, password: what.password,
        secure: what.implicit ? "implicit" : what.tls !== "",
        secureOptions: what.tls === "" ? undefined
            : { ca: fs.readFileSync(what.ca), minVersion: version, maxVersion: version, host: what.host },
    })
}

async function perform(client, job) {
    await client.cd("/" + job.folder)
    switch (job.task) {
    case "list": {
        const lines = (await client.list()).map(entry => entry.size + " " + entry.name + "\n")
        return fs.writeFileSync(job.local, lines.join(""))
    }
    case "put": return client.uploadFrom(job.local, job.name)
    case "putOn": return client.appendFrom(job.local, job.name, { localStart: await client.size(job.name) })
    case "get": return client.downloadTo(job.local, job.name)
    case "getOn": return client.downloadTo(job.local, job.name, fs.statSync(job.local).size)
    case "putTree": return client.uploadFromDir(job.local, job.name)
    case "getTree": return client.downloadToDir(job.local, job.name)
    case "rename": return client.rename(job.name, job.to)
    case "remove": return client.remove(job.name)
    case "mkdir": return client.send("MKD " + job.name)
    case "rmdir": return client.removeEmptyDir(job.name)
    }
}

async function main() {
    const what = JSON.parse(fs.readFileSync(0, "utf8"))
    const client = new ftp.Client(30000)
    try {
        await access(client, what)
        for (const job of what.jobs) {
            await perform(client, job)
        }
    } finally {
        client.close()
    }
}

main().catch(err => {
    console.error(String(err))
    process.exitCode = 1
})
