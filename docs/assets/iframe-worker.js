// Browsers start no workers for pages that are opened as files. There, a worker is a script in a hidden frame, so that the
// search works. The search script of Material for MkDocs looks for `IFrameWorker` in the page to find its own files.
if (location.protocol === "file:") {
  class IFrameWorker extends EventTarget {
    constructor(address) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.ready = new Promise((resolve) => this.frame.addEventListener("load", resolve, { once: true })).then(() => {
        const inside = this.frame.contentWindow
        inside.importScripts = async (...addresses) => {
          for (const one of addresses) await this.load(one)
        }
        inside.postMessage = (data) => this.answer(new MessageEvent("message", { data }))
        return this.load(address)
      })
      document.body.append(this.frame)
    }

    load(address) {
      return new Promise((resolve, reject) => {
        const script = this.frame.contentDocument.createElement("script")
        script.src = address
        script.onload = resolve
        script.onerror = reject
        this.frame.contentDocument.body.append(script)
      })
    }

    answer(event) {
      this.dispatchEvent(event)
      if (this.onmessage) this.onmessage(event)
    }

    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })))
    }

    terminate() {
      this.frame.remove()
    }
  }
  window.IFrameWorker = IFrameWorker
  window.Worker = IFrameWorker
}
