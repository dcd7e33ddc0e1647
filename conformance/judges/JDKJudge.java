import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.xml.XMLConstants;
import javax.xml.crypto.AlgorithmMethod;
import javax.xml.crypto.KeySelector;
import javax.xml.crypto.KeySelectorResult;
import javax.xml.crypto.OctetStreamData;
import javax.xml.crypto.XMLCryptoContext;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.X509Data;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

/**
 * Has the JDK's own XML Signature (javax.xml.crypto) check files, with secure
 * validation on, and prints a line of JSON for each signature: whether the value
 * and each reference hold, and whether the certificates lead to an anchor. It
 * knows no property of XAdES but as data that a reference is over.
 *
 * Of several files beside the signatures each is found by its name; one alone whatever its name.
 *
 * usage: JDKJudge [-detached FILE]... ANCHOR.pem FILE...
 */
final class JDKJudge {
	private JDKJudge() {}

	private static final String PROPERTIES = "http://uri.etsi.org/01903#SignedProperties";

	public static void main(String[] args) throws Exception {
		Map<String, byte[]> detached = new HashMap<>();
		int i = 0;
		for (; args[i].equals("-detached"); i += 2) {
			Path file = Path.of(args[i + 1]);
			detached.put(file.getFileName().toString(), Files.readAllBytes(file));
		}
		Set<TrustAnchor> anchors = new HashSet<>();
		try (InputStream in = new FileInputStream(args[i++])) {
			for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
				anchors.add(new TrustAnchor((X509Certificate) c, null));
			}
		}
		for (; i < args.length; i++) {
			try {
				judge(args[i], detached, anchors);
			} catch (Exception e) {
				System.out.println(DSSJudge.object("file", args[i], "error", e.toString()));
			}
		}
	}

	private static void judge(String file, Map<String, byte[]> detached, Set<TrustAnchor> anchors) throws Exception {
		DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
		f.setNamespaceAware(true);
		f.setFeature(XMLConstants.FEATURE_SECURE_PROCESSING, true);
		Document doc = f.newDocumentBuilder().parse(new File(file));
		if (doc.getDoctype() != null) {
			throw new IllegalArgumentException("a document type");
		}
		NodeList found = doc.getElementsByTagNameNS(XMLSignature.XMLNS, "Signature");
		if (found.getLength() == 0) {
			throw new IllegalArgumentException("no signature found");
		}
		for (int i = 0; i < found.getLength(); i++) {
			one(file, (Element) found.item(i), detached, anchors);
		}
	}

	private static void one(String file, Element at, Map<String, byte[]> detached, Set<TrustAnchor> anchors) throws Exception {
		List<X509Certificate> chain = new ArrayList<>();
		XMLSignatureFactory f = XMLSignatureFactory.getInstance("DOM");
		DOMValidateContext context = new DOMValidateContext(new KeySelector() {
			@Override
			public KeySelectorResult select(KeyInfo info, Purpose purpose, AlgorithmMethod method, XMLCryptoContext c) {
				return () -> chain.get(0).getPublicKey();
			}
		}, at);
		context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.TRUE);
		context.setURIDereferencer((ref, c) -> {
			String uri = ref.getURI();
			if (!detached.isEmpty() && uri != null && !uri.isEmpty() && !uri.startsWith("#")) {
				byte[] one = detached.size() == 1 ? detached.values().iterator().next() : detached.get(java.net.URI.create(uri).getPath());
				if (one == null) {
					throw new javax.xml.crypto.URIReferenceException("no file " + uri);
				}
				return new OctetStreamData(new ByteArrayInputStream(one));
			}
			return f.getURIDereferencer().dereference(ref, c);
		});
		identify(at.getOwnerDocument().getDocumentElement(), context);
		XMLSignature s = f.unmarshalXMLSignature(context);
		for (Object info : s.getKeyInfo().getContent()) {
			for (Object o : ((X509Data) info).getContent()) {
				chain.add((X509Certificate) o);
			}
		}
		boolean value = s.getSignatureValue().validate(context), properties = false, all = true;
		for (Object o : s.getSignedInfo().getReferences()) {
			Reference r = (Reference) o;
			all &= r.validate(context);
			properties |= PROPERTIES.equals(r.getType());
		}
		String trusted = trusted(chain, anchors);
		System.out.println(DSSJudge.object("file", file, "id", s.getId() == null ? "" : s.getId(),
			"valid", String.valueOf(value && all && properties && trusted.isEmpty() && s.validate(context)),
			"words", "value " + value + ", references " + all + ", properties " + properties + ", " + (trusted.isEmpty() ? "trusted" : trusted)));
	}

	/** Tells the context which attributes identify: those that a reader without a schema takes for identifiers. */
	private static void identify(Element e, DOMValidateContext context) {
		for (String name : List.of("Id", "ID", "id")) {
			if (e.hasAttributeNS(null, name)) {
				context.setIdAttributeNS(e, null, name);
			}
		}
		if (e.hasAttributeNS(XMLConstants.XML_NS_URI, "id")) {
			context.setIdAttributeNS(e, XMLConstants.XML_NS_URI, "id");
		}
		for (org.w3c.dom.Node n = e.getFirstChild(); n != null; n = n.getNextSibling()) {
			if (n instanceof Element child) {
				identify(child, context);
			}
		}
	}

	/** The reason why the signer's certificate leads to no anchor, without asking about revocation; empty if it does. */
	private static String trusted(List<X509Certificate> chain, Set<TrustAnchor> anchors) throws Exception {
		X509CertSelector signer = new X509CertSelector();
		signer.setCertificate(chain.get(0));
		PKIXBuilderParameters p = new PKIXBuilderParameters(anchors, signer);
		p.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(chain)));
		p.setRevocationEnabled(false);
		try {
			CertPathBuilder.getInstance("PKIX").build(p);
			return "";
		} catch (java.security.cert.CertPathBuilderException e) {
			return "not trusted: " + e.getMessage();
		}
	}
}
