// A page of the CRM. It knows nothing of ctigate but the messages that the CRM passes on.

const state = document.querySelector("#state");
const login = document.querySelector("#login");
const calls = document.querySelector("#calls");
const forms = document.querySelector("#forms");
let socket;
open();

function open() {
  socket = new WebSocket(location.origin.replace("http", "ws"));
  socket.onmessage = ({ data }) => {
    const [name, body] = JSON.parse(data);
    if (name === "loginresult") entered(body);
    else if (name === "phoneevent_ringstarted") calls.append(line("li", `Call from ${body.callerid}`));
    else if (name === "showform") show(body);
    else if (name === "closeform") close(body.formid, `closed: ${body.reason}`);
    else if (name === "formresultresult" && !body.result) state.textContent = body.errormsg;
  };
  socket.onclose = () => setTimeout(open, 1000);
}

function entered({ result, userlogin, errormsg }) {
  state.textContent = result ? `Logged in as ${userlogin}` : errormsg;
  login.hidden = Boolean(result);
}

login.onsubmit = (event) => {
  event.preventDefault();
  send("login", Object.fromEntries(new FormData(login)));
};

function show({ formid, name, inputparameters }) {
  if (document.getElementById(formid)) return; // shown again after a reconnect: what was typed stays
  const form = line("form", "");
  form.id = formid;
  form.append(line("h2", name), ...Object.entries(inputparameters).map(([key, value]) => line("p", `${key}: ${value}`)));
  for (const field of ["resultcode", "comment"]) form.append(Object.assign(document.createElement("input"), { name: field, placeholder: field }));
  form.append(line("button", "Save"));
  form.onsubmit = (event) => {
    event.preventDefault();
    send("formresult", { formid, outputparameters: Object.fromEntries(new FormData(form)) });
  };
  forms.append(form);
}

function close(formid, why) {
  document.getElementById(formid)?.remove();
  calls.append(line("li", `Form ${why}`));
}

function line(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}

function send(name, body) {
  socket.send(JSON.stringify([name, { ...body, qid: crypto.randomUUID() }]));
}
