import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import eu.europa.esig.dss.enumerations.DigestAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureAlgorithm;
import eu.europa.esig.dss.enumerations.SignatureLevel;
import eu.europa.esig.dss.enumerations.SignaturePackaging;
import eu.europa.esig.dss.model.DSSDocument;
import eu.europa.esig.dss.model.FileDocument;
import eu.europa.esig.dss.model.SignatureValue;
import eu.europa.esig.dss.model.ToBeSigned;
import eu.europa.esig.dss.model.x509.CertificateToken;
import eu.europa.esig.dss.pades.PAdESSignatureParameters;
import eu.europa.esig.dss.pades.signature.PAdESService;
import eu.europa.esig.dss.spi.validation.CommonCertificateVerifier;
import eu.europa.esig.dss.xades.XAdESSignatureParameters;
import eu.europa.esig.dss.xades.signature.XAdESService;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.util.Calendar;
import java.util.Date;
import java.util.HexFormat;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.pdfbox.Loader;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.ExternalSigningSupport;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.apache.xml.security.c14n.Canonicalizer;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.cms.CMSException;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.CMSTypedData;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/**
 * Does what our benchmarks do, with the Java libraries that others would take, and
 * says what it cost this process: its collector and compiler included, its start
 * not. Orders come as lines of JSON, {"in": FILE, "out": FILE, "times": N}; so do
 * the answers. Keys are P-256, in memory. Nothing is synced.
 *
 * usage: Peers PDFBox|DSS-PAdES|DSS-XAdES|Santuario
 */
final class Peers {
	private interface Job {
		void run(File in, File out) throws Exception;
	}

	private final KeyPair pair;
	private final X509Certificate cert;

	private Peers() throws Exception {
		KeyPairGenerator g = KeyPairGenerator.getInstance("EC");
		g.initialize(new ECGenParameterSpec("secp256r1"));
		pair = g.generateKeyPair();
		X500Name name = new X500Name("CN=bench");
		Date from = new Date(System.currentTimeMillis() - 60_000), to = new Date(System.currentTimeMillis() + 86_400_000);
		ContentSigner s = new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate());
		cert = new JcaX509CertificateConverter().getCertificate(
			new JcaX509v3CertificateBuilder(name, BigInteger.ONE, from, to, name, pair.getPublic()).build(s));
	}

	public static void main(String[] args) throws Exception {
		Peers p = new Peers();
		Job job = switch (args[0]) {
			case "PDFBox" -> p::pdfbox;
			case "DSS-PAdES" -> p::pades;
			case "DSS-XAdES" -> p::xades;
			case "Santuario" -> p::canonical;
			default -> throw new IllegalArgumentException(args[0]);
		};
		ObjectMapper json = new ObjectMapper();
		BufferedReader orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
		for (String line; (line = orders.readLine()) != null; ) {
			JsonNode o = json.readTree(line);
			String answer;
			try {
				answer = measure(job, new File(o.get("in").asText()), new File(o.get("out").asText()), o.get("times").asInt());
			} catch (Exception e) {
				answer = json.createObjectNode().put("error", e.toString()).toString();
			}
			System.out.println(answer);
			System.out.flush();
		}
	}

	private static String measure(Job job, File in, File out, int times) throws Exception {
		OperatingSystemMXBean os = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
		System.gc();
		restartPeak();
		long cpu = 0, wall = 0;
		for (int i = 0; i < times; i++) {
			Files.deleteIfExists(out.toPath());
			long c = os.getProcessCpuTime(), w = System.nanoTime();
			job.run(in, out);
			cpu += os.getProcessCpuTime() - c;
			wall += System.nanoTime() - w;
		}
		return "{\"cpu\":" + cpu / times + ",\"wall\":" + wall / times + ",\"rss\":" + peak() + "}";
	}

	private static void restartPeak() {
		try (OutputStream o = new FileOutputStream("/proc/self/clear_refs")) {
			o.write('5');
		} catch (IOException e) {
			// The peak is of the whole life then.
		}
	}

	private static long peak() throws IOException {
		for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
			if (line.startsWith("VmHWM:")) {
				return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
			}
		}
		return 0;
	}

	private void pdfbox(File in, File out) throws Exception {
		try (PDDocument doc = Loader.loadPDF(in); OutputStream o = new BufferedOutputStream(new FileOutputStream(out))) {
			PDSignature s = new PDSignature();
			s.setFilter(PDSignature.FILTER_ADOBE_PPKLITE);
			s.setSubFilter(PDSignature.SUBFILTER_ETSI_CADES_DETACHED);
			s.setSignDate(Calendar.getInstance());
			doc.addSignature(s);
			ExternalSigningSupport ext = doc.saveIncrementalForExternalSigning(o);
			CMSSignedDataGenerator g = new CMSSignedDataGenerator();
			g.addSignerInfoGenerator(new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().build())
				.build(new JcaContentSignerBuilder("SHA256withECDSA").build(pair.getPrivate()), cert));
			g.addCertificates(new JcaCertStore(List.of(cert)));
			try (InputStream content = ext.getContent()) {
				ext.setSignature(g.generate(new Streamed(content), false).getEncoded());
			}
		}
	}

	/** Content of a CMS message that is read once and not kept. */
	private record Streamed(InputStream in) implements CMSTypedData {
		public ASN1ObjectIdentifier getContentType() {
			return CMSObjectIdentifiers.data;
		}

		public Object getContent() {
			return in;
		}

		public void write(OutputStream out) throws IOException, CMSException {
			in.transferTo(out);
		}
	}

	private SignatureValue sign(ToBeSigned data) throws Exception {
		Signature s = Signature.getInstance("SHA256withECDSA");
		s.initSign(pair.getPrivate());
		s.update(data.getBytes());
		return new SignatureValue(SignatureAlgorithm.ECDSA_SHA256, s.sign());
	}

	private static void save(DSSDocument d, File out) throws IOException {
		try (OutputStream o = new BufferedOutputStream(new FileOutputStream(out))) {
			d.writeTo(o);
		}
	}

	private void pades(File in, File out) throws Exception {
		PAdESSignatureParameters p = new PAdESSignatureParameters();
		p.setSignatureLevel(SignatureLevel.PAdES_BASELINE_B);
		p.setDigestAlgorithm(DigestAlgorithm.SHA256);
		p.setSigningCertificate(new CertificateToken(cert));
		PAdESService service = new PAdESService(new CommonCertificateVerifier(true));
		DSSDocument d = new FileDocument(in);
		save(service.signDocument(d, p, sign(service.getDataToSign(d, p))), out);
	}

	private void xades(File in, File out) throws Exception {
		XAdESSignatureParameters p = new XAdESSignatureParameters();
		p.setSignatureLevel(SignatureLevel.XAdES_BASELINE_B);
		p.setSignaturePackaging(SignaturePackaging.ENVELOPED);
		p.setDigestAlgorithm(DigestAlgorithm.SHA256);
		p.setSigningCertificate(new CertificateToken(cert));
		XAdESService service = new XAdESService(new CommonCertificateVerifier(true));
		DSSDocument d = new FileDocument(in);
		save(service.signDocument(d, p, sign(service.getDataToSign(d, p))), out);
	}

	private void canonical(File in, File out) throws Exception {
		org.apache.xml.security.Init.init();
		DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
		f.setNamespaceAware(true);
		MessageDigest h = MessageDigest.getInstance("SHA-256");
		try (OutputStream o = new DigestOutputStream(OutputStream.nullOutputStream(), h)) {
			Canonicalizer.getInstance(Canonicalizer.ALGO_ID_C14N_EXCL_OMIT_COMMENTS).canonicalizeSubtree(f.newDocumentBuilder().parse(in), o);
		}
		Files.writeString(out.toPath(), HexFormat.of().formatHex(h.digest()));
	}
}
