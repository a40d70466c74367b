"""The WSDL 1.1 documents of the SOAP door: what a client generator reads.

Names, methods and parameters are those that systems which push to Adobe Campaign know (its schemas
nms:rtEvent, nms:batchEvent and xtk:session).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias
from xml.sax.saxutils import quoteattr

ROUTER: Final = "/nl/jsp/soaprouter.jsp"
Parameters: TypeAlias = Sequence[tuple[str, str]]
Methods: TypeAlias = dict[str, tuple[Parameters, Parameters]]

TEXT: Final = '<xsd:element name="{name}" type="xsd:string" minOccurs="0"/>'
LONG: Final = '<xsd:element name="{name}" type="xsd:long"/>'
XML: Final = (
    '<xsd:element name="{name}" minOccurs="0"><xsd:complexType mixed="true"><xsd:sequence>'
    '<xsd:any minOccurs="0" maxOccurs="unbounded" processContents="lax"/>'
    "</xsd:sequence></xsd:complexType></xsd:element>"
)

_EVENTS: Final[Methods] = {
    "PushEvent": ((("sessiontoken", TEXT), ("domEvent", XML)), (("plId", LONG),)),
    "PushEvents": (
        (("sessiontoken", TEXT), ("domEventCollection", XML)),
        (("plId", LONG), ("pdomEvents", XML)),
    ),
}
SCHEMAS: Final[dict[str, Methods]] = {
    "nms:rtEvent": _EVENTS,
    "nms:batchEvent": _EVENTS,
    "xtk:session": {
        "Logon": (
            (
                *(("sessiontoken", TEXT), ("strLogin", TEXT), ("strPassword", TEXT)),
                ("elemParameters", XML),
            ),
            (("pstrSessionToken", TEXT), ("pSessionInfo", XML), ("pstrSecurityToken", TEXT)),
        ),
        "Logoff": ((("sessiontoken", TEXT),), ()),
    },
}
"""The methods of each schema: what goes in, what comes out."""


def wsdl(schema: str, address: str) -> str:
    """Return the document of a schema whose methods are called at an address.

    Raises:
        KeyError: there is no such schema.
    """
    methods = SCHEMAS[schema]
    space = quoteattr(f"urn:{schema}")
    elements = "".join(
        _element(name, given) + _element(f"{name}Response", returned)
        for name, (given, returned) in methods.items()
    )
    messages = "".join(_messages(name) for name in methods)
    ports = "".join(
        f'<wsdl:operation name="{name}"><wsdl:input message="tns:{name}In"/>'
        f'<wsdl:output message="tns:{name}Out"/></wsdl:operation>'
        for name in methods
    )
    bound = "".join(_bound(schema, name) for name in methods)
    title = schema.replace(":", "")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"'
        ' xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"'
        f' xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:tns={space}'
        f" targetNamespace={space}>"
        f'<wsdl:types><xsd:schema elementFormDefault="qualified" targetNamespace={space}>'
        f"{elements}</xsd:schema></wsdl:types>{messages}"
        f'<wsdl:portType name="{title}MethodsSoap">{ports}</wsdl:portType>'
        f'<wsdl:binding name="{title}MethodsSoap" type="tns:{title}MethodsSoap">'
        '<soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>'
        f"{bound}</wsdl:binding>"
        f'<wsdl:service name="{title}MethodsService">'
        f'<wsdl:port name="{title}MethodsSoap" binding="tns:{title}MethodsSoap">'
        f"<soap:address location={quoteattr(address)}/></wsdl:port></wsdl:service>"
        "</wsdl:definitions>"
    )


def _element(name: str, parameters: Parameters) -> str:
    inside = "".join(shape.format(name=one) for one, shape in parameters)
    return (
        f'<xsd:element name="{name}"><xsd:complexType><xsd:sequence>{inside}</xsd:sequence>'
        "</xsd:complexType></xsd:element>"
    )


def _messages(name: str) -> str:
    return (
        f'<wsdl:message name="{name}In"><wsdl:part name="parameters" element="tns:{name}"/>'
        f'</wsdl:message><wsdl:message name="{name}Out">'
        f'<wsdl:part name="parameters" element="tns:{name}Response"/></wsdl:message>'
    )


def _bound(schema: str, name: str) -> str:
    return (
        f'<wsdl:operation name="{name}"><soap:operation soapAction="{schema}#{name}"'
        ' style="document"/><wsdl:input><soap:body use="literal"/></wsdl:input>'
        '<wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>'
    )
